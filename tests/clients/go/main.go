// Calls methods of modules by name and prints what comes back, as JSON.
// It knows the contract of the router from a descriptor set, and nothing else.
//
//	values ADDRESS DESCRIPTORS < CALLS
//
// CALLS are lines {"target": …, "method": …, "args": […]}; each is answered by a
// line, {"value": …} or {"refused": REASON}.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const patience = 60 * time.Second

type contract struct{ files *protoregistry.Files }

type call struct {
	Target string `json:"target"`
	Method string `json:"method"`
	Args   []any  `json:"args"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: values ADDRESS DESCRIPTORS < CALLS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address, descriptors string) error {
	known, err := read(descriptors)
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		answer, err := known.ask(connection, lines.Bytes())
		if err != nil {
			return err
		}
		fmt.Println(answer)
	}
	return lines.Err()
}

func read(path string) (contract, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return contract{}, err
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(raw, &set); err != nil {
		return contract{}, err
	}
	files, err := protodesc.NewFiles(&set)
	return contract{files}, err
}

func (known contract) message(name protoreflect.FullName) *dynamicpb.Message {
	found, err := known.files.FindDescriptorByName(name)
	if err != nil {
		panic(err)
	}
	return dynamicpb.NewMessage(found.(protoreflect.MessageDescriptor))
}

func field(message protoreflect.Message, name protoreflect.Name) protoreflect.FieldDescriptor {
	return message.Descriptor().Fields().ByName(name)
}

// ask makes one call and returns the line that answers it.
func (known contract) ask(connection *grpc.ClientConn, line []byte) (string, error) {
	var asked call
	numbers := json.NewDecoder(bytes.NewReader(line))
	numbers.UseNumber()
	if err := numbers.Decode(&asked); err != nil {
		return "", err
	}
	request := known.message("logos.kernel.v1.CallRequest")
	request.Set(field(request, "target"), protoreflect.ValueOfString(asked.Target))
	request.Set(field(request, "method"), protoreflect.ValueOfString(asked.Method))
	args := request.Mutable(field(request, "args")).List()
	for _, arg := range asked.Args {
		value := args.NewElement()
		fill(value.Message(), arg)
		args.Append(value)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+os.Getenv("LOGOS_TOKEN"))
	response := known.message("logos.kernel.v1.CallResponse")
	if err := connection.Invoke(ctx, "/logos.kernel.v1.Router/Call", request, response); err != nil {
		return fmt.Sprintf(`{"refused": %q}`, reason(err)), nil
	}
	return fmt.Sprintf(`{"value": %s}`, text(response.Get(field(response, "value")).Message())), nil
}

func reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.Reason
		}
	}
	return status.Code(err).String() + ": " + err.Error()
}

// fill sets a value to what JSON stands for.
func fill(value protoreflect.Message, said any) {
	set := func(name protoreflect.Name, to protoreflect.Value) { value.Set(field(value, name), to) }
	switch said := said.(type) {
	case nil:
		value.Mutable(field(value, "null_value"))
	case bool:
		set("bool_value", protoreflect.ValueOfBool(said))
	case string:
		set("string_value", protoreflect.ValueOfString(said))
	case json.Number:
		name, number := parsed(said.String())
		set(name, number)
	case []any:
		list := value.Mutable(field(value, "list_value")).Message()
		values := list.Mutable(field(list, "values")).List()
		for _, one := range said {
			element := values.NewElement()
			fill(element.Message(), one)
			values.Append(element)
		}
	case map[string]any:
		if raw, ok := tagged(said, "_bytes").(string); ok {
			content, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(raw, "="))
			if err != nil {
				panic(err)
			}
			set("bytes_value", protoreflect.ValueOfBytes(content))
			return
		}
		if inner, ok := tagged(said, "_map").(map[string]any); ok {
			said = inner
		}
		named := value.Mutable(field(value, "map_value")).Message()
		values := named.Mutable(field(named, "values")).Map()
		for name, one := range said {
			element := values.NewValue()
			fill(element.Message(), one)
			values.Set(protoreflect.ValueOfString(name).MapKey(), element)
		}
	default:
		panic(fmt.Sprintf("%T is not JSON", said))
	}
}

func tagged(said map[string]any, tag string) any {
	if len(said) != 1 {
		return nil
	}
	return said[tag]
}

func parsed(number string) (protoreflect.Name, protoreflect.Value) {
	if strings.ContainsAny(number, ".eE") {
		double, err := strconv.ParseFloat(number, 64)
		if err != nil {
			panic(err)
		}
		return "double_value", protoreflect.ValueOfFloat64(double)
	}
	if signed, err := strconv.ParseInt(number, 10, 64); err == nil {
		return "int_value", protoreflect.ValueOfInt64(signed)
	}
	unsigned, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		panic(err)
	}
	return "uint_value", protoreflect.ValueOfUint64(unsigned)
}

// text returns a value as JSON.
func text(value protoreflect.Message) string {
	kind := value.WhichOneof(value.Descriptor().Oneofs().ByName("kind"))
	said := value.Get(kind)
	switch kind.Name() {
	case "null_value":
		return "null"
	case "bool_value", "int_value", "uint_value":
		return fmt.Sprint(said.Interface())
	case "double_value":
		return double(said.Float())
	case "string_value":
		return quoted(said.String())
	case "bytes_value":
		return fmt.Sprintf(`{"_bytes": %q}`, base64.RawURLEncoding.EncodeToString(said.Bytes()))
	case "list_value":
		list := said.Message()
		values := list.Get(field(list, "values")).List()
		parts := make([]string, values.Len())
		for at := range parts {
			parts[at] = text(values.Get(at).Message())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case "map_value":
		return mapText(said.Message())
	case "result_value":
		result := said.Message()
		inner := text(result.Get(field(result, "value")).Message())
		return fmt.Sprintf(`{"_result": {"ok": %v, "value": %s, "error": %s}}`,
			result.Get(field(result, "ok")).Bool(), inner, quoted(result.Get(field(result, "error")).String()))
	}
	panic("a value of a kind that the contract does not have")
}

func mapText(message protoreflect.Message) string {
	values := message.Get(field(message, "values")).Map()
	var parts []string
	isTagged := false
	values.Range(func(key protoreflect.MapKey, one protoreflect.Value) bool {
		isTagged = strings.Contains("_bytes _double _map _result", key.String()) && key.String() != ""
		parts = append(parts, quoted(key.String())+": "+text(one.Message()))
		return true
	})
	whole := "{" + strings.Join(parts, ", ") + "}"
	if len(parts) == 1 && isTagged {
		return `{"_map": ` + whole + "}"
	}
	return whole
}

func double(number float64) string {
	if math.IsNaN(number) || math.IsInf(number, 0) {
		panic("not in the cases")
	}
	written := strconv.FormatFloat(number, 'g', -1, 64)
	if !strings.ContainsAny(written, ".e") {
		written += ".0" // JSON tells it from an integer by that
	}
	return written
}

func quoted(said string) string {
	raw, err := json.Marshal(said)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
