package api

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAuthority(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	a, err := openAuthority(dir, []string{"10.1.2.3", "lab.example"})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "ca.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("ca.key: %v %v", info.Mode(), err)
	}
	again, err := openAuthority(dir, nil)
	if err != nil || !again.cert.Equal(a.cert) {
		t.Errorf("the CA is another one after a restart: %v", err)
	}
	// A daemon that runs for a year must not show an expired certificate.
	first, _ := a.current(nil)
	if second, _ := a.current(nil); second != first {
		t.Error("a fresh leaf was replaced")
	}
	first.Leaf.NotAfter = time.Now().Add(leafLife / 3)
	second, err := a.current(nil)
	if err != nil || second == first {
		t.Fatalf("an old leaf was kept: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(again.cert)
	for _, name := range []string{"10.1.2.3", "lab.example", "storage.googleapis.com"} {
		if _, err := second.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAuthority_BrokenFiles(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"ca.pem", "ca.key"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openAuthority(dir, nil); err == nil {
		t.Error("a broken CA was taken, or silently replaced")
	}
}
