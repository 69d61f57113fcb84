package mesh

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"cpgol/wire/exec"
	"cpgol/wire/offload"
)

// An identity is with what a process makes itself known.
type identity struct {
	group exec.GroupName
	cert  tls.Certificate
	root  *x509.Certificate // nil: the ring has no key
	pool  *x509.CertPool
}

// protocol is what both ends must speak (RFC 7301).
const protocol = "cpgol-mesh/1"

func newIdentity(key ed25519.PrivateKey, group exec.GroupName, cert, root []byte) (*identity, error) {
	leaf, err := x509.ParseCertificate(cert)
	if err != nil {
		return nil, err
	}
	if pub, ok := leaf.PublicKey.(ed25519.PublicKey); !ok || !pub.Equal(key.Public()) {
		return nil, errors.New("mesh: the certificate is for another key")
	}
	id := &identity{group: group, cert: tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key, Leaf: leaf}}
	if len(root) == 0 {
		return id, nil
	}
	if id.root, err = x509.ParseCertificate(root); err != nil {
		return nil, err
	}
	id.pool = x509.NewCertPool()
	id.pool.AddCert(id.root)
	if err := id.signed(leaf); err != nil {
		return nil, fmt.Errorf("mesh: the certificate is not the root's: %w", err)
	}
	return id, nil
}

// sameRoot reports whether the same key signed. Each node's daemon makes the
// root's certificate anew when it starts, so it is not compared itself.
func (id *identity) sameRoot(other *identity) bool {
	if id.root == nil || other.root == nil {
		return id.root == other.root
	}
	a, ok := id.root.PublicKey.(ed25519.PublicKey)
	return ok && a.Equal(other.root.PublicKey)
}

// signed checks that the root's key signed a certificate that is good now.
func (id *identity) signed(cert *x509.Certificate) error {
	if id.root == nil {
		return nil
	}
	_, err := cert.Verify(x509.VerifyOptions{Roots: id.pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err
}

var (
	errKey  = errors.New("mesh: not the member's key")
	errName = errors.New("mesh: the certificate names another process or group")
)

// is checks that a certificate, which signed has passed, is a member's.
func (id *identity) is(cert *x509.Certificate, m offload.Member, key [offload.KeyLen]byte) error {
	pub, ok := cert.PublicKey.(ed25519.PublicKey)
	if !ok || !pub.Equal(ed25519.PublicKey(key[:])) {
		return errKey
	}
	if id.root != nil && (len(cert.URIs) != 1 || cert.URIs[0].String() != offload.CertificateName(m, id.group)) {
		return errName
	}
	return nil
}

// inGroup checks what can be checked before the member is known.
func (id *identity) inGroup(cert *x509.Certificate) error {
	if _, ok := cert.PublicKey.(ed25519.PublicKey); !ok {
		return errKey
	}
	if id.root == nil {
		return nil
	}
	if len(cert.URIs) != 1 || !strings.HasSuffix(cert.URIs[0].String(), fmt.Sprintf("/%x", id.group.Bytes())) {
		return errName
	}
	return id.signed(cert)
}

// config is TLS's, with a check of the other end's certificate that both ends
// make before they tell anything of their own.
func (id *identity) config(check func(*x509.Certificate) error) *tls.Config {
	return &tls.Config{
		Certificates:           []tls.Certificate{id.cert},
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{protocol},
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, // names are not hosts'; check does it
		SessionTicketsDisabled: true, // and nothing follows the handshake
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || s.NegotiatedProtocol != protocol {
				return errKey
			}
			return check(s.PeerCertificates[0])
		},
	}
}

// server is the configuration for those who dial us.
func (id *identity) server() *tls.Config { return id.config(id.inGroup) }

// client is the one for dialling a member.
func (id *identity) client(m offload.Member, key [offload.KeyLen]byte) *tls.Config {
	return id.config(func(cert *x509.Certificate) error {
		if err := id.is(cert, m, key); err != nil {
			return err
		}
		return id.signed(cert)
	})
}
