package api

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Files of the TLS folder.
const (
	fileCA     = "ca.pem"
	fileKey    = "ca.key"
	fileBundle = "ca-bundle.pem"
)

// How long certificates are good for. They begin in the past, for clients
// whose clock is behind.
const (
	caLife   = 20 * 365 * 24 * time.Hour
	leafLife = 365 * 24 * time.Hour
	backdate = 24 * time.Hour
)

// systemRoots is where systems keep their trusted roots, first match wins.
var systemRoots = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}

// authority is the installation's CA. It is made once and kept; the leaf that
// the server shows is made anew at each start and before it grows old.
type authority struct {
	dir   string
	names []string
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey

	mu   sync.Mutex
	leaf *tls.Certificate
}

// openAuthority reads the CA in dir, or makes one, and writes the bundle.
func openAuthority(dir string, names []string) (*authority, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the TLS folder: %w", err)
	}
	a := &authority{dir: dir, names: names}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, fileCA), filepath.Join(dir, fileKey))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = a.create()
	case err == nil:
		a.cert = pair.Leaf
		key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
		if !ok {
			err = errors.New("the key is not an ECDSA key")
		}
		a.key = key
	}
	if err == nil {
		err = a.writeBundle()
	}
	if err == nil {
		_, err = a.current(nil)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority in %s: %w", dir, err)
	}
	return a, nil
}

func (a *authority) bundlePath() string { return filepath.Join(a.dir, fileBundle) }

// create makes the CA. The key goes first: the certificate alone would look
// like a CA that has lost its key.
func (a *authority) create() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "Hearth CA of " + host, Organization: []string{"Hearth"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(a.dir, fileKey), encodePEM("PRIVATE KEY", keyDER), 0o600); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(a.dir, fileCA), encodePEM("CERTIFICATE", der), 0o644); err != nil {
		return err
	}
	a.key = key
	a.cert, err = x509.ParseCertificate(der)
	return err
}

// writeBundle writes our CA and the system's roots into one file.
func (a *authority) writeBundle() error {
	bundle := encodePEM("CERTIFICATE", a.cert.Raw)
	for _, path := range systemRoots {
		if roots, err := os.ReadFile(path); err == nil {
			bundle = append(bundle, roots...)
			break
		}
	}
	if old, err := os.ReadFile(a.bundlePath()); err == nil && bytes.Equal(old, bundle) {
		return nil
	}
	return writeFile(a.bundlePath(), bundle, 0o644)
}

// protocolHTTP2 is HTTP/2's name in TLS.
const protocolHTTP2 = "h2"

// config is what the server's end of TLS uses.
func (a *authority) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: a.current,
		// The first one that the client knows too: clients of gRPC know HTTP/2 only,
		// all others have HTTP/1.1.
		NextProtos: []string{"http/1.1", protocolHTTP2},
		// TensorFlow opens a connection for each request: they never get past the
		// small records with which Go begins.
		DynamicRecordSizingDisabled: true,
	}
}

// current gives the leaf, a new one if the present one is past half its life.
func (a *authority) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leaf != nil && time.Until(a.leaf.Leaf.NotAfter) > leafLife/2 {
		return a.leaf, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: "Hearth"},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(leafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range slices.Concat(certifiedNames, a.names) {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	a.leaf = &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
	return a.leaf, nil
}

// certifiedNames are in every leaf.
var certifiedNames = []string{"*.googleapis.com", hostMetadata, hostAccounts, "localhost", "127.0.0.1", "::1"}

func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// writeFile replaces a file as a whole: after a crash it is the old or the new
// one.
func writeFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
