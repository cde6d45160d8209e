package node

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	modulev1 "logos.example/tally/gen/logos/module/v1"
)

const maxGrace = 5 * time.Minute

// host is what every module serves to its kernel.
type host struct {
	modulev1.UnimplementedModuleHostServer
	node        *Node
	descriptors []byte
}

func newHost(node *Node) (*host, error) {
	descriptors, err := describe(node.module.Services)
	return &host{node: node, descriptors: descriptors}, err
}

func (h *host) Describe(context.Context, *modulev1.DescribeRequest) (*modulev1.DescribeResponse, error) {
	return &modulev1.DescribeResponse{
		Module:            h.node.module.Name,
		Version:           h.node.module.Version,
		InstanceId:        h.node.instanceID,
		Services:          h.node.module.Services,
		FileDescriptorSet: h.descriptors,
	}, nil
}

func (h *host) PrepareStop(ctx context.Context, request *modulev1.PrepareStopRequest) (*modulev1.PrepareStopResponse, error) {
	h.node.setServing(false)
	left := h.node.guard.drain(ctx, min(request.Grace.AsDuration(), maxGrace))
	return &modulev1.PrepareStopResponse{InFlight: uint32(left)}, nil
}

// describe returns the files of services and all that they import, imports first.
func describe(services []string) ([]byte, error) {
	found := &descriptorpb.FileDescriptorSet{}
	added := map[string]bool{}
	var add func(file protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if added[file.Path()] {
			return
		}
		added[file.Path()] = true
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i).FileDescriptor)
		}
		found.File = append(found.File, protodesc.ToFileDescriptorProto(file))
	}
	for _, service := range services {
		descriptor, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
		if err != nil {
			return nil, err
		}
		add(descriptor.ParentFile())
	}
	return proto.Marshal(found)
}
