package node

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"testing"
	"time"

	"cpgol/wire/exec"
	"cpgol/wire/offload"
)

// TestIssuer: the nodes of a cluster trust each other's certificates, and no
// others.
func TestIssuer(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	make := func(cluster string, key []byte) *issuer {
		i, err := newIssuer(cluster, key, now)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	key := bytes.Repeat([]byte{7}, 256)
	one := make("c", key)
	public, _, _ := ed25519.GenerateKey(nil)
	group, _ := exec.NewGroupName([]byte("g/\x00 1"))
	member := offload.Member{Node: 3, PID: 30433}
	der, _, err := one.certificate(public, member, group, now)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if got := cert.URIs[0].String(); got != offload.CertificateName(member, group) || got != "cpgol://3/30433/672f002031" {
		t.Errorf("it names %s", got)
	}
	if !public.Equal(cert.PublicKey.(ed25519.PublicKey)) {
		t.Error("another key")
	}
	verify := func(i *issuer, at time.Time) error {
		roots := x509.NewCertPool()
		roots.AddCert(i.root)
		_, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		return err
	}
	if err := verify(make("c", key), now.Add(time.Minute)); err != nil {
		t.Errorf("another node of the cluster: %v", err)
	}
	for what, i := range map[string]*issuer{"another key": make("c", key[1:]), "another cluster": make("d", key)} {
		if verify(i, now) == nil {
			t.Errorf("%s accepts it", what)
		}
	}
	if verify(one, now.Add(certificateLife+time.Minute)) == nil {
		t.Error("it lives on")
	}
	if _, _, err := one.certificate(public[1:], member, group, now); err == nil {
		t.Error("a key that is none")
	}
	der, root, err := make("c", nil).certificate(public, member, group, now)
	if err != nil || root != nil {
		t.Errorf("without a key: root %x, %v", root, err)
	}
	if _, err := x509.ParseCertificate(der); err != nil {
		t.Error(err)
	}
}
