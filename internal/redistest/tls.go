package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// StartTLS is Start with a server that speaks TLS only, under a certificate for 127.0.0.1 and
// localhost that the authority in CAFile signed.
func StartTLS(t testing.TB, args ...string) *Server {
	t.Helper()
	s := newServer(t, args...)
	newAuthority(t).secure(s, "no")
	start(s)
	return s
}

// StartMutualTLS is StartTLS with a server that wants a certificate of its clients too, signed by the
// same authority. ClientCertFile and ClientKeyFile have one, and Client shows it.
func StartMutualTLS(t testing.TB, args ...string) *Server {
	t.Helper()
	s := newServer(t, args...)
	ca := newAuthority(t)
	ca.secure(s, "yes")
	var err error
	s.ClientCertFile, s.ClientKeyFile, err = ca.issue(s.dir, "client", x509.ExtKeyUsageClientAuth)
	if err != nil {
		t.Fatalf("making a client's certificate: %v", err)
	}
	pair, err := tls.LoadX509KeyPair(s.ClientCertFile, s.ClientKeyFile)
	if err != nil {
		t.Fatalf("reading the client's certificate: %v", err)
	}
	s.tls.Certificates = []tls.Certificate{pair}
	start(s)
	return s
}

// StartClusterTLS is StartCluster with nodes that speak TLS only, with each other, too. The certificates are all of one
// authority, whose file is each node's CAFile.
func StartClusterTLS(t testing.TB, masters, replicas int, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t, args: append([]string{"--tls-cluster", "yes", "--tls-replication", "yes"}, args...), ca: newAuthority(t)}
	c.start(masters, replicas)
	return c
}

// StartSentinelTLS is StartSentinel with servers and sentinels that speak TLS only, with each other, too. The certificates
// are all of one authority, whose file is each one's CAFile.
func StartSentinelTLS(t testing.TB, args ...string) *Sentinel {
	t.Helper()
	g := &Sentinel{t: t, ca: newAuthority(t)}
	g.start(append([]string{"--tls-replication", "yes"}, args...)...)
	return g
}

// An authority signs the certificates of servers and of their clients.
type authority struct {
	file   string // PEM
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64 // of the last certificate
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a, err := makeAuthority(filepath.Join(t.TempDir(), "ca.pem"))
	if err != nil {
		t.Fatalf("making an authority for redis-server: %v", err)
	}
	return a
}

func makeAuthority(file string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := template(1, "redistest authority")
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{file: file, cert: cert, key: key, serial: 1}, writePEM(file, "CERTIFICATE", der)
}

// secure makes a certificate for the server, which then speaks TLS only. Whether clients must show a certificate is
// redis-server's tls-auth-clients, "yes" or "no".
func (a *authority) secure(s *Server, authClients string) {
	s.t.Helper()
	// Nodes of a Cluster show it to each other, too, whatever authClients says.
	certFile, keyFile, err := a.issue(s.dir, "server", x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
	if err != nil {
		s.t.Fatalf("making a certificate for redis-server: %v", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	s.CAFile = a.file
	s.tls = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	s.args = append(s.args, "--tls-auth-clients", authClients, "--tls-ca-cert-file", a.file,
		"--tls-cert-file", certFile, "--tls-key-file", keyFile)
}

// issue writes a certificate for 127.0.0.1 and localhost, and its key, to files of dir that begin
// with name.
func (a *authority) issue(dir, name string, usage ...x509.ExtKeyUsage) (certFile, keyFile string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	a.serial++
	cert := template(a.serial, "redistest "+name)
	cert.KeyUsage = x509.KeyUsageDigitalSignature
	cert.ExtKeyUsage = usage
	cert.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	cert.DNSNames = []string{"localhost"}
	certDER, err := x509.CreateCertificate(rand.Reader, cert, a.cert, key.Public(), a.key)
	if err != nil {
		return "", "", err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", err
	}
	certFile, keyFile = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem")
	if err := writePEM(certFile, "CERTIFICATE", certDER); err != nil {
		return "", "", err
	}
	return certFile, keyFile, writePEM(keyFile, "PRIVATE KEY", keyDER)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// template is what all certificates have in common. An hour before and after allows for clocks.
func template(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
}
