package node

import (
	"context"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"time"

	"google.golang.org/grpc"

	kernelv1 "logos.example/tally/gen/logos/kernel/v1"
)

const (
	retryMin        = 100 * time.Millisecond
	retryMax        = 2 * time.Second
	registerTimeout = 10 * time.Second
)

var errUnproven = errors.New("KERNEL_UNPROVEN: what answers as the kernel does not know this module's join secret")

// stayRegistered sends heartbeats and registers again, until the context ends or the kernel refuses for good.
func (n *Node) stayRegistered(ctx context.Context) error {
	for {
		err := n.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		log.Printf("session ended: %v", err)
		if ReasonOf(err) == "STALE_EPOCH" {
			return err
		}
		if !pause(ctx, retryMin) {
			return nil
		}
		if err := n.register(ctx); err != nil {
			return ignoreEnd(ctx, err)
		}
	}
}

// register tries until a kernel answers.
func (n *Node) register(ctx context.Context) error {
	delay := retryMin
	for {
		err := n.registerOnce(ctx)
		switch ReasonOf(err) {
		case "STALE_EPOCH", "MODULE_NOT_FOUND", "INVALID_REGISTRATION":
			return err
		}
		if err == nil || errors.Is(err, errUnproven) {
			return err
		}
		if delay == retryMin {
			log.Printf("kernel does not register this module, retrying: %v", err)
		}
		if !pause(ctx, delay) {
			return ctx.Err()
		}
		delay = min(2*delay, retryMax)
	}
}

func (n *Node) registerOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, registerTimeout)
	defer cancel()
	challenge, err := n.registry.Challenge(ctx, &kernelv1.ChallengeRequest{Module: n.module.Name})
	if err != nil {
		return err
	}
	public := n.guard.key.PublicKey().Bytes()
	response, err := n.registry.Register(ctx, &kernelv1.RegisterRequest{
		Module:     n.module.Name,
		Version:    n.module.Version,
		InstanceId: n.instanceID,
		Endpoint:   n.environment.listen,
		Epoch:      n.epoch,
		Services:   n.module.Services,
		Nonce:      challenge.Nonce,
		PublicKey:  public,
		JoinProof: fieldsMAC(n.secret, "logos-join-v1",
			challenge.Nonce, []byte(n.module.Name), n.instanceID, []byte(n.environment.listen), public),
	})
	if err != nil {
		return err
	}
	fields := [][]byte{challenge.Nonce, public, response.KernelKey, binary.BigEndian.AppendUint64(nil, uint64(response.Now))}
	expected := fieldsMAC(n.secret, "logos-kernel-v1", append(fields, response.SigningKeys...)...)
	if !hmac.Equal(expected, response.KernelProof) {
		return errUnproven
	}
	n.guard.setClock(response.Now)
	n.guard.trust(response.SigningKeys)
	n.guard.revoke(response.Revocations)
	n.epoch, n.leaseID, n.ttl = response.Epoch, response.LeaseId, response.Ttl.AsDuration()
	log.Printf("registered, epoch %d", n.epoch)
	return n.take(n.forKernel, response.Token, response.KernelKey)
}

// session sends heartbeats at a third of the lease, and at once when the state changes, until it ends.
func (n *Node) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := n.registry.Session(ctx)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- n.obey(ctx, stream) }()
	interval := n.ttl / 3
	if n.module.Watchdog > 0 {
		interval = min(interval, n.module.Watchdog/3)
	}
	for progress := uint64(1); ; progress++ {
		err := stream.Send(&kernelv1.SessionRequest{
			LeaseId:  n.leaseID,
			State:    kernelv1.ModuleState(n.state.Load()),
			InFlight: uint32(n.guard.count()),
			Progress: progress,
		})
		if err != nil && !errors.Is(err, io.EOF) { // after EOF the other side says why
			return err
		}
		select {
		case err := <-ended:
			return err
		case <-n.changed:
		case <-time.After(interval):
		}
	}
}

// obey takes what the kernel says in answer to heartbeats.
func (n *Node) obey(ctx context.Context, stream grpc.BidiStreamingClient[kernelv1.SessionRequest, kernelv1.SessionResponse]) error {
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if response.Stop {
			n.stop()
		}
		n.guard.revoke(response.Revocations)
		n.guard.trust(response.SigningKeys)
		n.renew(ctx, response.Renew)
	}
}

// leave gives the lease up, unless the kernel is gone.
func (n *Node) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = n.registry.Deregister(ctx, &kernelv1.DeregisterRequest{LeaseId: n.leaseID})
}
