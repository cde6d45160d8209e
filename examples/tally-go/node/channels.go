package node

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	kernelv1 "logos.example/tally/gen/logos/kernel/v1"
)

// credential is a token for one callee, and what makes proofs for it. Renewed in place.
type credential struct {
	mutex   sync.Mutex
	token   []byte
	tokenID []byte
	key     []byte
	counter uint64
	renewAt time.Time
}

// renew takes a token; counters go on, also under a new one.
func (c *credential) renew(token *kernelv1.CapabilityToken, key []byte) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.token, c.tokenID, c.key = token.Token, token.TokenId, key
	c.renewAt = time.Now().Add(token.Ttl.AsDuration() / 2)
}

func (c *credential) expire() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.renewAt = time.Time{}
}

func (c *credential) isDue() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return time.Now().After(c.renewAt)
}

// with adds token and proof to the metadata of one call.
func (c *credential) with(ctx context.Context, path string) context.Context {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.token == nil {
		return ctx
	}
	c.counter++
	proof := proofOf(c.key, c.counter, c.tokenID, strings.TrimPrefix(path, "/"))
	return metadata.AppendToOutgoingContext(ctx, tokenField, string(c.token), proofField, string(proof))
}

// dial opens a channel whose calls carry the credential.
func dial(target string, held *credential) (*grpc.ClientConn, error) {
	unary := func(ctx context.Context, method string, request, response any, conn *grpc.ClientConn,
		invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		return invoke(held.with(ctx, method), method, request, response, conn, options...)
	}
	stream := func(ctx context.Context, description *grpc.StreamDesc, conn *grpc.ClientConn, method string,
		open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
		return open(held.with(ctx, method), description, conn, method, options...)
	}
	return grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // sockets, or the node's own network
		grpc.WithNoProxy(),
		grpc.WithUnaryInterceptor(unary),
		grpc.WithStreamInterceptor(stream),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, MaxDelay: 500 * time.Millisecond},
			MinConnectTimeout: 5 * time.Second,
		}))
}

// neighbour is another module of the node.
type neighbour struct {
	endpoint   string
	channel    *grpc.ClientConn
	credential *credential
}

// moveGrace is for calls under way to an address that a module has left; they end with its process there.
const moveGrace = 15 * time.Second

// Channel returns the channel to a module of this node; it waits until that module is READY. Its calls are authorized
// for what the manifest declares in `calls`. Ask for it with each call: a module that is upgraded has another address.
func (n *Node) Channel(ctx context.Context, module string) (*grpc.ClientConn, error) {
	n.mutex.Lock()
	held, found := n.neighbours[module]
	n.mutex.Unlock()
	if found {
		return held.channel, nil
	}
	made := &credential{}
	endpoint, err := n.resolve(ctx, module, made)
	for err != nil {
		if reason := ReasonOf(err); reason == "MODULE_NOT_FOUND" || reason == "POLICY_DENIED" {
			return nil, err
		}
		if !pause(ctx, 200*time.Millisecond) {
			return nil, err
		}
		endpoint, err = n.resolve(ctx, module, made)
	}
	channel, err := dial(endpoint, made)
	if err != nil {
		return nil, err
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if held, found := n.neighbours[module]; found { // somebody else has waited too
		return held.channel, channel.Close()
	}
	n.neighbours[module] = neighbour{endpoint, channel, made}
	return channel, nil
}

// ask asks the kernel where a module is, for a new token.
func (n *Node) ask(ctx context.Context, module string) (*kernelv1.ResolveResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return n.registry.Resolve(ctx, &kernelv1.ResolveRequest{Module: module})
}

// resolve asks the kernel where a module is, and takes a new token for it.
func (n *Node) resolve(ctx context.Context, module string, held *credential) (string, error) {
	response, err := n.ask(ctx, module)
	if err != nil {
		return "", err
	}
	return response.Endpoint, n.take(held, response.Token, response.PublicKey)
}

// follow takes a new token for a neighbour, or opens a channel to where it is now (KER-52): token and address change
// together, since the token is for the process there.
func (n *Node) follow(ctx context.Context, module string, held neighbour) error {
	response, err := n.ask(ctx, module)
	if err != nil {
		return err
	}
	if response.Endpoint == "" || response.Endpoint == held.endpoint {
		return n.take(held.credential, response.Token, response.PublicKey)
	}
	made := &credential{}
	if err := n.take(made, response.Token, response.PublicKey); err != nil {
		return err
	}
	channel, err := dial(response.Endpoint, made)
	if err != nil {
		return err
	}
	n.mutex.Lock()
	n.neighbours[module] = neighbour{response.Endpoint, channel, made}
	n.mutex.Unlock()
	time.AfterFunc(moveGrace, func() { _ = held.channel.Close() })
	return nil
}

// take puts a token into a credential.
func (n *Node) take(held *credential, token *kernelv1.CapabilityToken, callee []byte) error {
	own := n.guard.key.PublicKey().Bytes()
	key, err := sharedKey(n.guard.key, callee, own, callee, n.instanceID)
	if err == nil {
		held.renew(token, key)
	}
	return err
}

// renew asks for new tokens where half of their time is over; what fails is tried again at the next heartbeat.
func (n *Node) renew(ctx context.Context, all bool) {
	n.mutex.Lock()
	neighbours := maps.Clone(n.neighbours)
	n.mutex.Unlock()
	if all {
		n.forKernel.expire()
	}
	if n.forKernel.isDue() {
		_, _ = n.resolve(ctx, "kernel", n.forKernel)
	}
	for module, held := range neighbours {
		if all {
			held.credential.expire()
		}
		if held.credential.isDue() {
			_ = n.follow(ctx, module, held)
		}
	}
}
