package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	kernelv1 "logos.example/tally/gen/logos/kernel/v1"
	modulev1 "logos.example/tally/gen/logos/module/v1"
)

const (
	drainGrace      = 5 * time.Second
	maxMessageBytes = 16 << 20 // as at every end in a node
)

// Module is what module.toml says too.
type Module struct {
	Name, Version string
	Services      []string
	Watchdog      time.Duration // 0 if there is none
}

// Node is the node that a module belongs to.
type Node struct {
	module      Module
	environment environment
	secret      []byte
	instanceID  []byte
	guard       *guard
	health      *health.Server
	registry    kernelv1.RegistryClient
	forKernel   *credential
	stop        context.CancelFunc

	state   atomic.Int32 // a kernelv1.ModuleState
	changed chan struct{}

	// Of the last registration; for the session alone.
	epoch   uint64
	leaseID []byte
	ttl     time.Duration

	mutex      sync.Mutex
	neighbours map[string]neighbour
}

// Run serves a module until its kernel, SIGTERM or SIGINT stops it. register adds its services to the server.
func Run(module Module, register func(*Node, *grpc.Server)) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	read, err := readEnvironment()
	if err != nil {
		return err
	}
	secret, err := read.secret(ctx)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	key, err := moduleKey(secret, module.Name)
	if err != nil {
		return err
	}
	n := &Node{
		module: module, environment: read, secret: secret, epoch: read.epoch, instanceID: make([]byte, 16),
		guard: newGuard(module.Name, key), health: health.NewServer(), forKernel: &credential{}, stop: stop,
		changed: make(chan struct{}, 1), neighbours: map[string]neighbour{},
	}
	rand.Read(n.instanceID)
	n.state.Store(int32(kernelv1.ModuleState_MODULE_STATE_REGISTERED))
	kernel, err := dial(read.kernel, n.forKernel)
	if err != nil {
		return err
	}
	defer kernel.Close()
	n.registry = kernelv1.NewRegistryClient(kernel)
	return n.serve(ctx, register)
}

// serve lives from the first call that may come to the last one.
func (n *Node) serve(ctx context.Context, register func(*Node, *grpc.Server)) error {
	server := grpc.NewServer(grpc.UnaryInterceptor(n.guard.unary), grpc.StreamInterceptor(n.guard.stream),
		grpc.MaxRecvMsgSize(maxMessageBytes), grpc.MaxSendMsgSize(maxMessageBytes))
	served, err := newHost(n)
	if err != nil {
		return err
	}
	modulev1.RegisterModuleHostServer(server, served)
	healthv1.RegisterHealthServer(server, n.health)
	reflection.Register(server)
	register(n, server)
	n.setServing(false)
	listener, err := listen(n.environment.listen)
	if err != nil {
		return err
	}
	go server.Serve(listener)
	defer server.Stop()

	// The session goes on while calls in flight are finished.
	life, end := context.WithCancel(context.Background())
	defer end()
	if err := n.register(ctx); err != nil {
		return ignoreEnd(ctx, err)
	}
	n.setServing(true)
	n.setState(kernelv1.ModuleState_MODULE_STATE_READY)
	failed := make(chan error, 1)
	go func() { failed <- n.stayRegistered(life) }()
	log.Print("ready")
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Print("stopping")
	n.setServing(false)
	n.setState(kernelv1.ModuleState_MODULE_STATE_DRAINING)
	n.guard.drain(life, drainGrace)
	end()
	<-failed
	n.leave()
	return nil
}

func (n *Node) setServing(serving bool) {
	status := healthv1.HealthCheckResponse_NOT_SERVING
	if serving {
		status = healthv1.HealthCheckResponse_SERVING
	}
	for _, service := range append([]string{""}, n.module.Services...) {
		n.health.SetServingStatus(service, status)
	}
}

func (n *Node) setState(state kernelv1.ModuleState) {
	n.state.Store(int32(state))
	select {
	case n.changed <- struct{}{}:
	default: // it is told already
	}
}

// listen binds a socket of another name first and renames it, so that it takes the place of one that a killed process has left.
func listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		return net.Listen("tcp", address)
	}
	private := fmt.Sprintf("%s.%d", path, os.Getpid())
	listener, err := net.Listen("unix", private)
	if err != nil {
		return nil, err
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	return listener, os.Rename(private, path)
}

// ignoreEnd returns nil where an error is only that the process was asked to end.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
