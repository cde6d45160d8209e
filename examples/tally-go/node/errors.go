package node

import (
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Refusal is the error of a call: a status with a stable reason, and with a time to retry after if it is UNAVAILABLE.
func Refusal(code codes.Code, reason, text string) error {
	info := &errdetails.ErrorInfo{Reason: reason, Domain: "logos"}
	made, err := status.New(code, text).WithDetails(info)
	if code == codes.Unavailable && err == nil {
		made, err = made.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	}
	if err != nil { // the details of a status that is no error cannot be set
		panic(err)
	}
	return made.Err()
}

func notReady() error {
	return Refusal(codes.Unavailable, "MODULE_NOT_READY", "the module is starting")
}

// ReasonOf returns the stable reason of a failed call; empty if it has none.
func ReasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, is := detail.(*errdetails.ErrorInfo); is {
			return info.Reason
		}
	}
	return ""
}
