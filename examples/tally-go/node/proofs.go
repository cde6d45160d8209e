package node

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
)

const (
	macBytes   = 16
	proofBytes = 8 + macBytes
	window     = 4096 // calls of one caller may arrive in any order within so many
)

var errProof = errors.New("the caller does not hold the key of its token, or the call was made before")

// moduleKey derives the private key of a module from its join secret (KER-16).
func moduleKey(secret []byte, module string) (*ecdh.PrivateKey, error) {
	derived, err := hkdf.Key(sha256.New, secret, nil, "logos-module-key-v1"+module, 32)
	if err != nil {
		return nil, err
	}
	return ecdh.X25519().NewPrivateKey(derived)
}

// sharedKey derives the key of a caller's process and a callee from the private key of either.
func sharedKey(own *ecdh.PrivateKey, other, caller, callee, instanceID []byte) ([]byte, error) {
	public, err := ecdh.X25519().NewPublicKey(other)
	if err != nil {
		return nil, err
	}
	secret, err := own.ECDH(public)
	if err != nil {
		return nil, err
	}
	info := slices.Concat([]byte("logos-proof-v1"), caller, callee, instanceID)
	return hkdf.Key(sha256.New, secret, nil, string(info), 32)
}

// fieldsMAC is HMAC-SHA256 over a domain and fields, each with its length before it (KER-15).
func fieldsMAC(secret []byte, domain string, fields ...[]byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(domain))
	for _, field := range fields {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		mac.Write(field)
	}
	return mac.Sum(nil)
}

// proofOf is what the caller sends, and the callee computes again.
func proofOf(key []byte, counter uint64, tokenID []byte, method string) []byte {
	count := binary.BigEndian.AppendUint64(nil, counter)
	mac := hmac.New(sha256.New, key)
	mac.Write(slices.Concat(count, tokenID, []byte(method)))
	return append(count, mac.Sum(nil)[:macBytes]...)
}

// checker takes each counter of one caller once.
type checker struct {
	key    []byte
	mutex  sync.Mutex
	newest uint64
	seen   [window]bool // by counter modulo the window
}

func (c *checker) check(proof, tokenID []byte, method string) error {
	if len(proof) != proofBytes {
		return errProof
	}
	counter := binary.BigEndian.Uint64(proof)
	if !hmac.Equal(proof, proofOf(c.key, counter, tokenID, method)) {
		return errProof
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if counter+window <= c.newest || counter <= c.newest && c.seen[counter%window] {
		return errProof
	}
	for next := c.newest + 1; next < counter && next <= c.newest+window; next++ {
		c.seen[next%window] = false
	}
	c.newest = max(c.newest, counter)
	c.seen[counter%window] = true
	return nil
}
