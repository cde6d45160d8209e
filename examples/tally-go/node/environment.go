// Package node joins a Logos node: it does what docs/protocol/kernel.md says of modules (KER-46), with gRPC,
// the contracts in proto/ and the standard library. Copy it; only what is in main.go is particular to a module.
package node

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"
)

const joinSecretBytes = 32

// environment is what a kernel, or a compose file, starts a module with (KER-11).
type environment struct {
	kernel, listen, joinSecret string
	epoch                      uint64 // 0 where the kernel did not start this process
}

func readEnvironment() (environment, error) {
	read := environment{
		kernel:     os.Getenv("LOGOS_KERNEL"),
		listen:     os.Getenv("LOGOS_LISTEN"),
		joinSecret: os.Getenv("LOGOS_JOIN_SECRET"),
	}
	if read.kernel == "" || read.listen == "" || read.joinSecret == "" {
		return read, fmt.Errorf("INVALID_CONFIG: LOGOS_KERNEL, LOGOS_LISTEN and LOGOS_JOIN_SECRET must be set")
	}
	if epoch := os.Getenv("LOGOS_EPOCH"); epoch != "" {
		number, err := strconv.ParseUint(epoch, 10, 64)
		if err != nil {
			return read, fmt.Errorf("INVALID_CONFIG: LOGOS_EPOCH must be a number, is %q", epoch)
		}
		read.epoch = number
	}
	return read, nil
}

// secret returns the join secret; it waits until the kernel has made the file.
func (e environment) secret(ctx context.Context) ([]byte, error) {
	for {
		secret, err := os.ReadFile(e.joinSecret)
		switch {
		case err == nil && len(secret) != joinSecretBytes:
			return nil, fmt.Errorf("JOIN_SECRET_UNUSABLE: %s has %d bytes", e.joinSecret, len(secret))
		case err == nil:
			return secret, nil
		case !os.IsNotExist(err):
			return nil, fmt.Errorf("JOIN_SECRET_UNUSABLE: %w", err)
		}
		if !pause(ctx, 100*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
}

// pause waits; it returns false once the context has ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
