// A peer that is not ours: go-libp2p with gossipsub under the relay's protocol id, without
// signatures, with sha256 of the data as message id.
//
//	peer ADDRESS TOPIC < MESSAGES
//
// MESSAGES are lines of base64. They are published once a neighbour follows the topic, and what comes
// is printed in the same form, each as often as it comes, until the input ends.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	relay    = protocol.ID("/vac/waku/relay/2.0.0")
	patience = 2 * time.Minute
	// waiting is how many messages may wait for a neighbour, or for this program. By default it
	// is 32, and the library drops what is more than that.
	waiting = 4096
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: peer ADDRESS TOPIC < MESSAGES")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run joins a topic beside the node at an address, and exchanges messages with it.
func run(ctx context.Context, address, name string) error {
	node, err := peer.AddrInfoFromString(address)
	if err != nil {
		return err
	}
	host, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	if err != nil {
		return err
	}
	defer host.Close()
	gossip, err := pubsub.NewGossipSub(ctx, host,
		pubsub.WithGossipSubProtocols([]protocol.ID{relay}, features),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithPeerOutboundQueueSize(waiting),
	)
	if err != nil {
		return err
	}
	topic, err := gossip.Join(name)
	if err != nil {
		return err
	}
	subscription, err := topic.Subscribe(pubsub.WithBufferSize(waiting))
	if err != nil {
		return err
	}
	if err := host.Connect(ctx, *node); err != nil {
		return err
	}
	go show(ctx, subscription, host.ID())
	return publish(ctx, topic)
}

// features: what version 1.1 of gossipsub has.
func features(feature pubsub.GossipSubFeature, _ protocol.ID) bool {
	return feature == pubsub.GossipSubFeatureMesh || feature == pubsub.GossipSubFeaturePX
}

func messageID(message *pb.Message) string {
	digest := sha256.Sum256(message.GetData())
	return string(digest[:])
}

// show prints what others have published.
func show(ctx context.Context, subscription *pubsub.Subscription, self peer.ID) {
	for {
		message, err := subscription.Next(ctx)
		if err != nil {
			return // the topic is left
		}
		if message.ReceivedFrom != self {
			fmt.Println(base64.StdEncoding.EncodeToString(message.Data))
		}
	}
}

// publish publishes each line as soon as a neighbour follows the topic.
func publish(ctx context.Context, topic *pubsub.Topic) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil {
			return err
		}
		if err := topic.Publish(ctx, data, pubsub.WithReadiness(pubsub.MinTopicSize(1))); err != nil {
			return err
		}
	}
	return lines.Err()
}
