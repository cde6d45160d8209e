package node

import (
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	kernelv1 "logos.example/tally/gen/logos/kernel/v1"
)

const (
	tokenField     = "logos-token-bin"
	proofField     = "logos-proof-bin"
	maxTokenBytes  = 512
	maxCallers     = 4096
	signatureBytes = ed25519.SignatureSize
)

// free are the methods that need no token: discovery, without private data.
var free = []string{"/grpc.health.v1.Health/", "/grpc.reflection.", "/logos.module.v1.ModuleHost/Describe"}

// revocation says which tokens of a module hold no longer.
type revocation struct {
	beforeEpoch uint64
	issuedUntil int64
}

// guard decides on every call: who may make it (KER-15, KER-16), and whether it is still taken.
type guard struct {
	module string
	key    *ecdh.PrivateKey

	mutex    sync.Mutex
	keys     map[string]ed25519.PublicKey // of the kernel, by their ids
	revoked  map[string]revocation
	ahead    time.Duration // of the kernel's clock
	began    time.Time
	callers  map[string]*checker
	order    []string // of callers, oldest first
	draining bool
	inFlight int
	idle     chan struct{} // closed while nothing is in flight
}

func newGuard(module string, key *ecdh.PrivateKey) *guard {
	idle := make(chan struct{})
	close(idle)
	return &guard{
		module: module, key: key, began: time.Now(), idle: idle,
		revoked: map[string]revocation{}, callers: map[string]*checker{},
	}
}

// trust takes the keys that tokens may be signed with; no keys: those it has.
func (g *guard) trust(keys [][]byte) {
	if len(keys) == 0 {
		return
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.keys = map[string]ed25519.PublicKey{}
	for _, key := range keys {
		id := sha256.Sum256(key)
		g.keys[string(id[:8])] = key
	}
}

func (g *guard) revoke(revocations []*kernelv1.Revocation) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for _, each := range revocations {
		held := g.revoked[each.Module]
		g.revoked[each.Module] = revocation{
			max(held.beforeEpoch, each.BeforeEpoch), max(held.issuedUntil, each.IssuedUntil),
		}
	}
}

// setClock takes the kernel's time, by which tokens expire.
func (g *guard) setClock(now int64) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.ahead = time.Duration(now)*time.Second - time.Since(g.began)
}

func (g *guard) now() int64 {
	return int64((g.ahead + time.Since(g.began)).Seconds())
}

// authorize returns the error that a call is refused with.
func (g *guard) authorize(ctx context.Context, path string) error {
	for _, prefix := range free {
		if strings.HasPrefix(path, prefix) {
			return nil
		}
	}
	method := strings.TrimPrefix(path, "/")
	sent, _ := metadata.FromIncomingContext(ctx)
	tokens, proofs := sent.Get(tokenField), sent.Get(proofField)
	if len(tokens) != 1 || len(proofs) != 1 {
		return Refusal(codes.Unauthenticated, "TOKEN_MISSING", method+" needs a token and a proof")
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.keys == nil {
		return notReady()
	}
	claims := g.claimsOf([]byte(tokens[0]))
	if claims == nil {
		return Refusal(codes.Unauthenticated, "TOKEN_INVALID", "not a token of this node's kernel for "+g.module)
	}
	if claims.ExpiresAt <= g.now() {
		return Refusal(codes.Unauthenticated, "TOKEN_EXPIRED", "the token has expired")
	}
	if held, found := g.revoked[claims.Subject.Name]; found &&
		(claims.Subject.Epoch < held.beforeEpoch || claims.IssuedAt <= held.issuedUntil) {
		return Refusal(codes.Unauthenticated, "TOKEN_REVOKED", "the token was revoked")
	}
	caller, err := g.checkerOf(claims)
	if err == nil {
		err = caller.check([]byte(proofs[0]), claims.TokenId, method)
	}
	if err != nil {
		return Refusal(codes.Unauthenticated, "PROOF_INVALID", err.Error())
	}
	if !allows(claims.Methods, method) {
		return Refusal(codes.PermissionDenied, "METHOD_DENIED", "the token is not for "+method)
	}
	return nil
}

// claimsOf returns what a token says; nil if it is not one of this kernel's for this module.
func (g *guard) claimsOf(token []byte) *kernelv1.CapabilityClaims {
	if len(token) <= signatureBytes || len(token) > maxTokenBytes {
		return nil
	}
	signature, body := token[:signatureBytes], token[signatureBytes:]
	claims := &kernelv1.CapabilityClaims{}
	if proto.Unmarshal(body, claims) != nil {
		return nil
	}
	key, known := g.keys[string(claims.KeyId)]
	if !known || !ed25519.Verify(key, append([]byte("logos-cap-v1\x00"), body...), signature) {
		return nil
	}
	if claims.Audience != g.module || claims.Subject == nil || len(claims.TokenId) != 16 || len(claims.ProofKey) != 32 {
		return nil
	}
	return claims
}

func (g *guard) checkerOf(claims *kernelv1.CapabilityClaims) (*checker, error) {
	instanceID := claims.Subject.InstanceId
	name := string(claims.ProofKey) + string(instanceID)
	if held, found := g.callers[name]; found {
		return held, nil
	}
	own := g.key.PublicKey().Bytes()
	key, err := sharedKey(g.key, claims.ProofKey, claims.ProofKey, own, instanceID)
	if err != nil {
		return nil, err
	}
	if len(g.order) == maxCallers {
		delete(g.callers, g.order[0])
		g.order = g.order[1:]
	}
	made := &checker{key: key}
	g.callers[name] = made
	g.order = append(g.order, name)
	return made, nil
}

func allows(patterns []string, method string) bool {
	service, _, _ := strings.Cut(method, "/")
	for _, pattern := range patterns {
		if pattern == "*" || pattern == method || pattern == service+"/*" {
			return true
		}
	}
	return false
}

// enter admits a call, or returns why it is refused; leave must follow each one that is admitted.
func (g *guard) enter(ctx context.Context, path string) (leave func(), err error) {
	if err := g.authorize(ctx, path); err != nil {
		return nil, err
	}
	if strings.HasPrefix(path, "/grpc.") || strings.HasPrefix(path, "/logos.module.v1.ModuleHost/") {
		return func() {}, nil
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.draining {
		return nil, Refusal(codes.Unavailable, "MODULE_DRAINING", "this module is about to stop")
	}
	if g.inFlight == 0 {
		g.idle = make(chan struct{})
	}
	g.inFlight++
	return g.leave, nil
}

func (g *guard) leave() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.inFlight--
	if g.inFlight == 0 {
		close(g.idle)
	}
}

// drain refuses new calls, waits for those in flight, and returns how many are left.
func (g *guard) drain(ctx context.Context, grace time.Duration) int {
	g.mutex.Lock()
	g.draining = true
	idle := g.idle
	g.mutex.Unlock()
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	return g.count()
}

func (g *guard) count() int {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.inFlight
}

func (g *guard) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	leave, err := g.enter(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	defer leave()
	return next(ctx, request)
}

func (g *guard) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	leave, err := g.enter(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	defer leave()
	return next(server, stream)
}
