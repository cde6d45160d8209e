package node

import (
	"context"
	"errors"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// Probe asks the module at an address whether it serves: for the health check of a container.
func Probe(ctx context.Context, address string) error {
	channel, err := dial(address, &credential{})
	if err != nil {
		return err
	}
	defer channel.Close()
	response, err := healthv1.NewHealthClient(channel).Check(ctx, &healthv1.HealthCheckRequest{})
	if err == nil && response.Status != healthv1.HealthCheckResponse_SERVING {
		err = errors.New("it does not serve")
	}
	return err
}
