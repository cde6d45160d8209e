package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	guestbookv1 "logos.example/tally/gen/guestbook/v1"
	storagev1 "logos.example/tally/gen/logos/storage/v1"
	tallyv1 "logos.example/tally/gen/tally/v1"
	"logos.example/tally/node"
)

const maxContentBytes = 1 << 20

// tally serves tally.v1.Tally. Errors of the modules that it calls are passed on as they are.
type tally struct {
	tallyv1.UnimplementedTallyServer
	node *node.Node
}

func (t *tally) Count(ctx context.Context, request *tallyv1.CountRequest) (*tallyv1.CountResponse, error) {
	switch content := request.Content.(type) {
	case *tallyv1.CountRequest_Text:
		if len(content.Text) > maxContentBytes {
			return nil, tooLarge()
		}
		return &tallyv1.CountResponse{Words: wordsOf(content.Text)}, nil
	case *tallyv1.CountRequest_Cid:
		text, err := t.read(ctx, content.Cid)
		if err != nil {
			return nil, err
		}
		return &tallyv1.CountResponse{Words: wordsOf(text)}, nil
	}
	return nil, node.Refusal(codes.InvalidArgument, "CONTENT_MISSING", "give a text or a CID")
}

func (t *tally) Report(ctx context.Context, _ *tallyv1.ReportRequest) (*tallyv1.ReportResponse, error) {
	channel, err := t.node.Channel(ctx, "guestbook")
	if err != nil {
		return nil, err
	}
	guestbook := guestbookv1.NewGuestbookClient(channel)
	report := &tallyv1.ReportResponse{}
	var lines strings.Builder
	for {
		page, err := guestbook.List(ctx, &guestbookv1.ListRequest{Offset: uint32(report.Entries)})
		if err != nil {
			return nil, err
		}
		for _, cid := range page.Cids {
			text, err := t.read(ctx, cid)
			if err != nil {
				return nil, err
			}
			words := wordsOf(text)
			report.Entries++
			report.Words += words
			fmt.Fprintf(&lines, "%s %d\n", cid, words)
		}
		if len(page.Cids) == 0 || report.Entries >= uint64(page.Total) {
			break
		}
	}
	report.Cid, err = t.write(ctx, lines.String())
	return report, err
}

// read gets a text from storage.
func (t *tally) read(ctx context.Context, cid string) (string, error) {
	channel, err := t.node.Channel(ctx, "storage")
	if err != nil {
		return "", err
	}
	stream, err := storagev1.NewStorageClient(channel).Get(ctx, &storagev1.GetRequest{Cid: cid})
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return text.String(), nil
		}
		if err != nil {
			return "", err
		}
		if text.Len()+len(response.GetData()) > maxContentBytes {
			return "", tooLarge()
		}
		text.Write(response.GetData())
	}
}

// write puts a text into storage, and returns its CID.
func (t *tally) write(ctx context.Context, text string) (string, error) {
	channel, err := t.node.Channel(ctx, "storage")
	if err != nil {
		return "", err
	}
	stream, err := storagev1.NewStorageClient(channel).Put(ctx)
	if err != nil {
		return "", err
	}
	header := &storagev1.PutRequest_Header{Filename: "tally.txt", Mimetype: "text/plain"}
	if err := send(stream, &storagev1.PutRequest{Kind: &storagev1.PutRequest_Header_{Header: header}}); err != nil {
		return "", err
	}
	if err := send(stream, &storagev1.PutRequest{Kind: &storagev1.PutRequest_Data{Data: []byte(text)}}); err != nil {
		return "", err
	}
	response, err := stream.CloseAndRecv()
	if err != nil {
		return "", err
	}
	return response.Dataset.Cid, nil
}

// send sends a request; where the call has ended, the response says why.
func send(stream grpc.ClientStreamingClient[storagev1.PutRequest, storagev1.PutResponse], request *storagev1.PutRequest) error {
	if err := stream.Send(request); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func wordsOf(text string) uint64 {
	return uint64(len(strings.Fields(text)))
}

func tooLarge() error {
	return node.Refusal(codes.InvalidArgument, "CONTENT_TOO_LARGE", "a text has at most 1 MiB")
}
