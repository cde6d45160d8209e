// Asks one node of a Logos testnet something through the mix, as another node's module: no
// node on the way learns who asks whom, and who answers does not learn who has asked.
// It knows the contracts in proto/logos/network/v1 and one address of each node.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	networkv1 "logos.example/go-client/gen/logos/network/v1"
	"logos.example/go-client/node"
)

const (
	codec    = "/example/shout/1.0.0"
	delay    = 200 * time.Millisecond // at each hop: to see that it works; this hides nothing
	patience = 5 * time.Minute
)

func main() {
	from := flag.String("from", "127.0.0.1:17001", "address of the node that asks")
	to := flag.String("to", "127.0.0.1:17004", "address of the node that answers")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: mix [-from ADDRESS] [-to ADDRESS] MESSAGE")
		os.Exit(2)
	}
	if err := run(*from, *to, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, node.Explain(err))
		os.Exit(1)
	}
}

// run answers at one node what it asks at the other.
func run(from, to, message string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ctx, err := node.WithToken(ctx)
	if err != nil {
		return err
	}
	there, err := node.Connect(to)
	if err != nil {
		return err
	}
	defer there.Close()
	identity, err := networkv1.NewPeeringClient(there).GetIdentity(ctx, &networkv1.GetIdentityRequest{})
	if err != nil {
		return err
	}
	listening, err := networkv1.NewMixClient(there).Listen(ctx, &networkv1.MixListenRequest{Codec: codec})
	if err != nil {
		return err
	}
	if _, err := listening.Recv(); err != nil { // the first response: it listens
		return err
	}
	answered := make(chan error, 1)
	go func() { answered <- answer(ctx, networkv1.NewMixClient(there), listening) }()

	response, err := ask(ctx, from, identity.GetPeerId(), message)
	if err != nil {
		return err
	}
	if want := bytes.ToUpper([]byte(message)); !bytes.Equal(response.GetContent(), want) {
		return errors.New("another answer came than was given")
	}
	fmt.Println(string(response.GetContent()))
	took := response.GetRoundTrip().AsDuration().Round(time.Millisecond)
	fmt.Fprintf(os.Stderr, "in %v; %s\n", took, response.GetAnonymity().GetWords())
	return <-answered
}

func ask(ctx context.Context, address, destination, message string) (*networkv1.RequestResponse, error) {
	here, err := node.Connect(address)
	if err != nil {
		return nil, err
	}
	defer here.Close()
	return networkv1.NewMixClient(here).Request(ctx, &networkv1.RequestRequest{
		Route:   &networkv1.Route{Destination: destination, MeanDelay: durationpb.New(delay)},
		Codec:   codec,
		Content: []byte(message),
	})
}

// answer answers the first message, in capitals.
func answer(ctx context.Context, mix networkv1.MixClient, listening interface {
	Recv() (*networkv1.MixListenResponse, error)
}) error {
	message, err := listening.Recv()
	if err != nil {
		return err
	}
	_, err = mix.Reply(ctx, &networkv1.ReplyRequest{
		ReplyToken: message.GetReplyToken(),
		Content:    bytes.ToUpper(message.GetContent()),
		MeanDelay:  durationpb.New(delay),
	})
	return err
}
