// Puts a file through one node of a Logos testnet and gets it from another.
// It knows the contract in proto/logos/storage/v1 and one address of each node.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"

	storagev1 "logos.example/go-client/gen/logos/storage/v1"
	"logos.example/go-client/node"
)

const (
	pieceBytes = 512 * 1024 // 256 KiB to 1 MiB is fast, says the contract
	patience   = 10 * time.Minute
)

func main() {
	putTo := flag.String("put", "127.0.0.1:17001", "address of the node that the file is put to")
	getFrom := flag.String("get", "127.0.0.1:17004", "address of the node that it is got from")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: go-client [-put ADDRESS] [-get ADDRESS] FILE")
		os.Exit(2)
	}
	if err := run(*putTo, *getFrom, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, node.Explain(err))
		os.Exit(1)
	}
}

// run puts the file, gets it back and compares every byte.
func run(putTo, getFrom, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ctx, err := node.WithToken(ctx)
	if err != nil {
		return err
	}

	began := time.Now()
	dataset, err := put(ctx, putTo, path)
	if err != nil {
		return err
	}
	fmt.Println(dataset.GetCid())
	report("put", dataset.GetSizeBytes(), began)

	began = time.Now()
	if err := getAndCompare(ctx, getFrom, dataset.GetCid(), path); err != nil {
		return err
	}
	report("got the same", dataset.GetSizeBytes(), began)
	return nil
}

func report(did string, size uint64, began time.Time) {
	took := time.Since(began)
	rate := float64(size) / 1e6 / took.Seconds()
	fmt.Fprintf(os.Stderr, "%s %d bytes in %v, %.0f MB/s\n", did, size, took.Round(time.Millisecond), rate)
}

func put(ctx context.Context, address, path string) (*storagev1.Dataset, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	connection, err := node.Connect(address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	stream, err := storagev1.NewStorageClient(connection).Put(ctx)
	if err != nil {
		return nil, err
	}
	if err := send(stream, file); err != nil && !errors.Is(err, io.EOF) {
		return nil, err // io.EOF: the node has ended the call, and CloseAndRecv says why
	}
	response, err := stream.CloseAndRecv()
	return response.GetDataset(), err
}

// send sends the header, then the file in pieces.
func send(stream grpc.ClientStreamingClient[storagev1.PutRequest, storagev1.PutResponse], file *os.File) error {
	header := &storagev1.PutRequest_Header{Filename: filepath.Base(file.Name())}
	request := &storagev1.PutRequest{Kind: &storagev1.PutRequest_Header_{Header: header}}
	if err := stream.Send(request); err != nil {
		return err
	}
	piece := make([]byte, pieceBytes)
	for {
		n, err := file.Read(piece)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		request := &storagev1.PutRequest{Kind: &storagev1.PutRequest_Data{Data: piece[:n]}}
		if err := stream.Send(request); err != nil {
			return err
		}
	}
}

func getAndCompare(ctx context.Context, address, cid, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	connection, err := node.Connect(address)
	if err != nil {
		return err
	}
	defer connection.Close()
	stream, err := storagev1.NewStorageClient(connection).Get(ctx, &storagev1.GetRequest{Cid: cid})
	if err != nil {
		return err
	}
	expected := bufio.NewReaderSize(file, 2*pieceBytes)
	buffer := make([]byte, 1024*1024)
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		same := buffer[:min(len(response.GetData()), len(buffer))]
		if _, err := io.ReadFull(expected, same); err != nil || !bytes.Equal(same, response.GetData()) {
			return errors.New("the node sent other bytes than the file has")
		}
	}
	if _, err := expected.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.New("the node sent fewer bytes than the file has")
	}
	return nil
}
