package node

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/url"
	"time"

	"cpgol/wire/exec"
	"cpgol/wire/offload"
)

// An issuer signs the certificates with which libraries that offload know each
// other. Its own key follows from the cluster's, so every node's issuer is the
// same, and a change of that key makes all certificates worthless. A ring without
// a key has no issuer worth the name: libraries then go by the public keys alone
// that were announced in the ring, as they do with certificates too.
type issuer struct {
	key  ed25519.PrivateKey
	root *x509.Certificate
}

// certificateLife is how long a certificate is good for. It is looked at when a
// connection begins, so that renewing it disturbs nothing.
const certificateLife = time.Hour

// newIssuer derives the issuer of a cluster's key; without one the key is a new
// one and the root empty.
func newIssuer(cluster string, clusterKey []byte, now time.Time) (*issuer, error) {
	if clusterKey == nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return &issuer{key: key}, err
	}
	seed, err := hkdf.Key(sha256.New, clusterKey, []byte("cpgol offload issuer 1"), cluster, ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	i := &issuer{key: ed25519.NewKeyFromSeed(seed)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cpgol"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(10 * 365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, i.key.Public(), i.key)
	if err != nil {
		return nil, err
	}
	i.root, err = x509.ParseCertificate(der)
	return i, err
}

// certificate signs a process's public key, and gives the root's certificate too,
// nil if the ring has no key.
func (i *issuer) certificate(key []byte, m offload.Member, group exec.GroupName, now time.Time) (cert, root []byte, err error) {
	if len(key) != ed25519.PublicKeySize {
		return nil, nil, errors.New("not a public key's length")
	}
	uri, err := url.Parse(offload.CertificateName(m, group))
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, URIs: []*url.URL{uri},
		NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(certificateLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	parent := i.root
	if parent == nil {
		parent = template
	} else {
		root = parent.Raw
	}
	cert, err = x509.CreateCertificate(rand.Reader, template, parent, ed25519.PublicKey(key), i.key)
	return cert, root, err
}
