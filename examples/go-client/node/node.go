// Package node connects to a node as its operator.
package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// WithToken returns a context whose calls carry the token of the node's operator.
func WithToken(ctx context.Context) (context.Context, error) {
	token, err := operatorToken()
	if err != nil {
		return nil, err
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), nil
}

func operatorToken() (string, error) {
	if token := os.Getenv("LOGOS_TOKEN"); token != "" {
		return strings.TrimSpace(token), nil
	}
	path := os.Getenv("LOGOS_TOKEN_FILE")
	if path == "" {
		return "", errors.New("set LOGOS_TOKEN to a token of the node's operator, or LOGOS_TOKEN_FILE to its file")
	}
	token, err := os.ReadFile(path)
	return strings.TrimSpace(string(token)), err
}

// Connect returns a connection to the front door of a node.
func Connect(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// Must returns the value, or ends the program with what was wrong.
func Must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, Explain(err))
		os.Exit(1)
	}
	return value
}

// Explain adds the stable reason of a refused call: programs rely on that, not on the text.
func Explain(err error) string {
	refusal, ok := status.FromError(err)
	if !ok {
		return err.Error()
	}
	for _, detail := range refusal.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return fmt.Sprintf("%s %s: %s", refusal.Code(), info.GetReason(), refusal.Message())
		}
	}
	return fmt.Sprintf("%s: %s", refusal.Code(), refusal.Message())
}
