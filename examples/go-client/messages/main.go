// Publishes a message at one node of a Logos testnet, as another receives it.
package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	pb "logos.example/go-client/gen/logos/delivery/v1"
	"logos.example/go-client/node"
)

func main() {
	publish := flag.String("publish", "127.0.0.1:17001", "address of the node that publishes")
	subscribe := flag.String("subscribe", "127.0.0.1:17002", "address of the node that receives")
	flag.Parse()
	text, topics := flag.Arg(0), []string{"/example/1/greetings/proto"}
	ctx, cancel := context.WithTimeout(node.Must(node.WithToken(context.Background())), time.Minute)
	defer cancel()

	sender := pb.NewDeliveryClient(node.Must(node.Connect(*publish)))
	receiver := pb.NewDeliveryClient(node.Must(node.Connect(*subscribe)))
	node.Must(receiver.Subscribe(ctx, &pb.SubscribeRequest{ContentTopics: topics}))
	received := []pb.EventKind{pb.EventKind_EVENT_KIND_RECEIVED}
	watch := &pb.WatchEventsRequest{Kinds: received, ContentTopics: topics}
	pages := node.Must(receiver.WatchEvents(ctx, watch))
	node.Must(pages.Recv()) // says where the stream begins: nothing is missed from now on
	node.Must(sender.Send(ctx, &pb.SendRequest{ContentTopic: topics[0], Payload: []byte(text)}))
	for arrived := false; !arrived; {
		for _, event := range node.Must(pages.Recv()).Events {
			fmt.Println(string(event.Message.Payload))
			arrived = arrived || string(event.Message.Payload) == text
		}
	}
}
