package mesh

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"hash/crc32"
	"math/big"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"cpgol/compat/abi"
	"cpgol/wire/exec"
	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// An issuer signs as the daemons do (daemon/node/identity.go).
type issuer struct {
	key  ed25519.PrivateKey
	root *x509.Certificate // nil: the ring has no key
}

func newIssuer(t testing.TB, rooted bool) *issuer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	i := &issuer{key: key}
	if rooted {
		i.renew(t)
	}
	return i
}

// renew makes the root's certificate anew, as each daemon does when it starts.
func (i *issuer) renew(t testing.TB) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cpgol"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, i.key.Public(), i.key)
	must(t, err)
	i.root, err = x509.ParseCertificate(der)
	must(t, err)
}

func (i *issuer) certificate(t testing.TB, key []byte, m offload.Member, group exec.GroupName) (cert, root []byte) {
	return i.certificateAt(t, key, m, group, time.Now())
}

func (i *issuer) certificateAt(t testing.TB, key []byte, m offload.Member, group exec.GroupName, now time.Time) (cert, root []byte) {
	uri, err := url.Parse(offload.CertificateName(m, group))
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), URIs: []*url.URL{uri},
		NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(time.Hour),
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
	must(t, err)
	return cert, root
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func groupName(s string) exec.GroupName {
	g, _ := exec.NewGroupName([]byte(s))
	return g
}

var testGroup = groupName("g1")

func member(node, pid uint32) offload.Member {
	return offload.Member{Node: totem.NodeID(node), PID: pid}
}

func view(epoch uint64) offload.View {
	return offload.View{Ring: totem.RingID{Rep: 1, Seq: 8}, Epoch: epoch}
}

var loopback = []netip.Addr{netip.MustParseAddr("127.0.0.1")}

// A node is a mesh and what its handler was told. It takes what comes and grants
// credit anew, as the core does.
type node struct {
	*Mesh
	t      testing.TB
	id     offload.Member
	credit uint64 // kept open for each sender
	once   bool   // or granted only once
	onData func(m offload.Member, seq uint64, b *Buffer)

	mu     sync.Mutex
	cond   *sync.Cond
	view   offload.View
	events []event
	from   map[offload.Member]*received
	peers  map[offload.Member]*heard
}

// An event is one call, but for Held.
type event struct {
	kind string
	who  offload.Member
	view offload.View
}

// received is what came from a sender in a view.
type received struct {
	seqs  []uint64
	sizes []int
	sums  []uint32
	taken uint64
}

// heard is what a receiver told.
type heard struct {
	up          bool
	seq, credit uint64
	progress    int
}

type world struct {
	t       testing.TB
	issuer  *issuer
	nodes   []*node
	options func(*Options)
	setup   func(*Mesh)
}

func newWorld(t testing.TB) *world {
	return &world{t: t, issuer: newIssuer(t, true)}
}

// add makes a process. It is closed at the test's end.
func (w *world) add(m offload.Member) *node {
	n := &node{t: w.t, id: m, credit: 1 << 20, from: map[offload.Member]*received{}, peers: map[offload.Member]*heard{}}
	n.cond = sync.NewCond(&n.mu)
	opt := Options{Self: m, Group: testGroup, Listen: loopback, Handler: n}
	if w.options != nil {
		w.options(&opt)
	}
	var err error
	n.Mesh, err = New(opt)
	must(w.t, err)
	if w.setup != nil {
		w.setup(n.Mesh)
	}
	w.t.Cleanup(n.Close)
	w.identify(n)
	w.nodes = append(w.nodes, n)
	return n
}

func (w *world) identify(n *node) {
	e := n.Endpoint()
	must(w.t, n.SetIdentity(w.issuer.certificate(w.t, e.Key[:], n.id, testGroup)))
}

func (w *world) peers() (list []abi.OffloadPeer) {
	for _, n := range w.nodes {
		list = append(list, abi.OffloadPeer{Member: n.id, Endpoint: n.Endpoint()})
	}
	return list
}

// begin brings all processes to a view.
func (w *world) begin(v offload.View) {
	list := w.peers()
	for _, n := range w.nodes {
		n.begin(v, list)
	}
}

// begin does what a library does when a view begins.
func (n *node) begin(v offload.View, list []abi.OffloadPeer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.view = v
	clear(n.from)
	clear(n.peers)
	n.SetView(v, list)
	for _, p := range list {
		if p.Member != n.id && n.credit > 0 {
			n.Hold(p.Member, v, 0, n.credit)
		}
	}
}

func (n *node) off() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.view = offload.View{}
	n.SetView(offload.View{}, nil)
}

func (n *node) sender(m offload.Member) *received {
	if n.from[m] == nil {
		n.from[m] = &received{}
	}
	return n.from[m]
}

func (n *node) receiver(m offload.Member) *heard {
	if n.peers[m] == nil {
		n.peers[m] = &heard{}
	}
	return n.peers[m]
}

func (n *node) Arrived(from offload.Member, v offload.View, seq uint64, b *Buffer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	defer n.cond.Broadcast()
	if v != n.view {
		b.Release()
		return
	}
	r := n.sender(from)
	r.taken += uint64(b.Len())
	if n.onData != nil {
		n.onData(from, seq, b)
	} else {
		r.seqs = append(r.seqs, seq)
		r.sizes = append(r.sizes, b.Len())
		r.sums = append(r.sums, sum(b.Bytes()))
	}
	b.Release()
	if n.once {
		n.Hold(from, v, seq, n.credit)
	} else {
		n.Hold(from, v, seq, r.taken+n.credit)
	}
}

func (n *node) Held(from offload.Member, v offload.View, seq, credit uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if v == n.view {
		h := n.receiver(from)
		h.seq, h.credit = seq, credit
		n.cond.Broadcast()
	}
}

func (n *node) Up(m offload.Member, v offload.View)   { n.note("up", m, v, true) }
func (n *node) Down(m offload.Member, v offload.View) { n.note("down", m, v, false) }

func (n *node) note(kind string, m offload.Member, v offload.View, up bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, event{kind, m, v})
	if v == n.view {
		n.receiver(m).up = up
	}
	n.cond.Broadcast()
}

func (n *node) Progress(m offload.Member) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.receiver(m).progress++
	n.cond.Broadcast()
}

// patience is how long anything may take.
const patience = 30 * time.Second

// await waits until something is so; it is asked under the node's lock.
func (n *node) await(what string, ok func() bool) {
	n.t.Helper()
	late := false
	timer := time.AfterFunc(patience, func() { n.mu.Lock(); late = true; n.mu.Unlock(); n.cond.Broadcast() })
	defer timer.Stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	for !ok() {
		if late {
			n.t.Fatalf("%v: waited in vain: %s; stats %+v", n.id, what, n.Stats())
		}
		n.cond.Wait()
	}
}

// eventually waits until something is so that nobody tells of.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for late := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("waited in vain: ", what)
		}
	}
}

func (n *node) awaitUp(others ...*node) {
	n.t.Helper()
	n.await("up", func() bool {
		return !slices.ContainsFunc(others, func(o *node) bool { return !n.receiver(o.id).up })
	})
}

// send transmits a message of size bytes that follow from its number.
func (n *node) send(seq uint64, size int, to ...*node) {
	b := Get(size)
	defer b.Release()
	fill(b.Bytes(), seq)
	var members []offload.Member
	for _, o := range to {
		members = append(members, o.id)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Transmit(n.view, seq, b, members)
}

func fill(b []byte, seq uint64) {
	for i := range b {
		b[i] = byte(uint64(i)*31 + seq*7 + uint64(i>>8))
	}
}

func sum(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

// expect waits for messages from a sender, with the given sizes, numbered from 1,
// and looks at each byte.
func (n *node) expect(from *node, sizes ...int) {
	n.t.Helper()
	n.await("messages", func() bool { return len(n.sender(from.id).seqs) >= len(sizes) })
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.sender(from.id)
	for i, size := range sizes {
		b := make([]byte, size)
		fill(b, r.seqs[i])
		if r.seqs[i] != uint64(i+1) || r.sizes[i] != size || r.sums[i] != sum(b) {
			n.t.Errorf("%v: message %d of %v: number %d, %d bytes, want %d", n.id, i, from.id, r.seqs[i], r.sizes[i], size)
		}
	}
}
