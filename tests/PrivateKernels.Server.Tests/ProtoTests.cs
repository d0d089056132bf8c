using System.Collections;
using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace PrivateKernels.Tests;

/// <summary>The interface as clients see it: nothing they were built against changes, names follow one style, no field is lost.</summary>
public sealed class ProtoTests
{
    static IEnumerable<FileDescriptor> Files =>
    [
        V1.TypesReflection.Descriptor, V1.DatasetServiceReflection.Descriptor, V1.ReleaseServiceReflection.Descriptor,
        V1.QueryServiceReflection.Descriptor,
    ];

    static IEnumerable<MessageDescriptor> Messages => Files.SelectMany(static f => f.MessageTypes).SelectMany(WithNested);

    static IEnumerable<EnumDescriptor> Enums => Files.SelectMany(static f => f.EnumTypes).Concat(Messages.SelectMany(static m => m.EnumTypes));

    static IEnumerable<MethodDescriptor> Methods => Files.SelectMany(static f => f.Services).SelectMany(static s => s.Methods);

    static IEnumerable<MessageDescriptor> WithNested(MessageDescriptor message) =>
        message.NestedTypes.SelectMany(WithNested).Prepend(message);

    /// <summary>
    /// Golden/wire.txt holds a line for every field, enum value and call. One that is missing or differs breaks clients; a new one
    /// is added to the file together with the change that brings it.
    /// </summary>
    [Fact]
    public void Nothing_that_clients_were_built_against_changes()
    {
        string[] now = [.. Messages.SelectMany(static m => m.Fields.InDeclarationOrder()).Select(Line)
            .Concat(Enums.SelectMany(static e => e.Values).Select(static v => $"{v.EnumDescriptor.FullName}.{v.Name} = {v.Number}"))
            .Concat(Methods.Select(Line)).Order(StringComparer.Ordinal)];
        string[] golden = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "Golden", "wire.txt"));
        string[] broken = [.. golden.Except(now)], unknown = [.. now.Except(golden)];
        Assert.True(broken.Length == 0, $"clients would break:\n{string.Join('\n', broken)}");
        Assert.True(unknown.Length == 0, $"add to Golden/wire.txt:\n{string.Join('\n', unknown)}");
    }

    static string Line(FieldDescriptor f)
    {
        string type = f.FieldType switch
        {
            FieldType.Message => f.MessageType.FullName,
            FieldType.Enum => f.EnumType.FullName,
            var scalar => scalar.ToString().ToLower(CultureInfo.InvariantCulture),
        };
        string label = f.IsRepeated ? "repeated " : f.RealContainingOneof is { } oneof ? $"{oneof.Name}: " : f.HasPresence ? "optional " : "";
        return $"{f.ContainingType.FullName}.{f.Name} = {f.FieldNumber} {label}{type}";
    }

    static string Line(MethodDescriptor m) =>
        $"{m.FullName}({(m.IsClientStreaming ? "stream " : "")}{m.InputType.FullName}) "
        + $"returns ({(m.IsServerStreaming ? "stream " : "")}{m.OutputType.FullName})";

    [Fact]
    public void Names_follow_the_style_of_protocol_buffers()
    {
        Assert.All(
            Messages.SelectMany(static m => m.Fields.InDeclarationOrder()),
            static f => Assert.Matches("^[a-z][a-z0-9]*(_[a-z0-9]+)*$", f.Name));
        foreach (EnumDescriptor e in Enums)
        {
            string prefix = string.Concat(e.Name.Select(static (c, i) => i > 0 && char.IsUpper(c) ? $"_{c}" : $"{char.ToUpperInvariant(c)}")) + "_";
            Assert.All(e.Values, v => Assert.StartsWith(prefix, v.Name, StringComparison.Ordinal));
            Assert.Equal($"{prefix}UNSPECIFIED", e.FindValueByNumber(0).Name);
        }
        Assert.All(Methods, static m => Assert.Equal((m.Name + "Request", m.Name + "Response"), (m.InputType.Name, m.OutputType.Name)));
    }

    [Fact]
    public void Every_field_of_every_message_survives_the_wire()
    {
        foreach (MessageDescriptor type in Messages)
            foreach (int choice in Enumerable.Range(0, Choices(type)))
            {
                IMessage message = Filled(type, choice);
                byte[] bytes = message.ToByteArray();
                IMessage read = type.Parser.ParseFrom(bytes);
                Assert.Equal(message, read);
                Assert.Equal(bytes, read.ToByteArray());
                foreach (FieldDescriptor field in type.Fields.InDeclarationOrder())
                    Assert.True(field.RealContainingOneof is not null || IsSet(field, read), $"{field.FullName} was lost");
            }
    }

    /// <summary>Fields of the largest oneof, or 1.</summary>
    static int Choices(MessageDescriptor type) =>
        type.Oneofs.Take(type.RealOneofCount).Select(static o => o.Fields.Count).DefaultIfEmpty(1).Max();

    static bool IsSet(FieldDescriptor field, IMessage message) => field.Accessor.GetValue(message) switch
    {
        IList list => list.Count == 2,
        IDictionary map => map.Count == 1,
        var value => !field.HasPresence || (field.Accessor.HasValue(message) && value is not null),
    };

    /// <summary>A message with every field set; of each oneof the field of number <paramref name="choice"/>, or its last.</summary>
    static IMessage Filled(MessageDescriptor type, int choice)
    {
        IMessage message = type.Parser.ParseFrom(ByteString.Empty);
        foreach (FieldDescriptor field in type.Fields.InDeclarationOrder())
        {
            if (field.RealContainingOneof is { } oneof && oneof.Fields[Math.Min(choice, oneof.Fields.Count - 1)] != field) continue;
            if (field.IsMap)
            {
                FieldDescriptor key = field.MessageType.FindFieldByNumber(1), value = field.MessageType.FindFieldByNumber(2);
                ((IDictionary)field.Accessor.GetValue(message)).Add(Value(key, choice), Value(value, choice));
            }
            else if (field.IsRepeated)
            {
                var list = (IList)field.Accessor.GetValue(message);
                list.Add(Value(field, choice));
                list.Add(Value(field, choice));
            }
            else
            {
                field.Accessor.SetValue(message, Value(field, choice));
            }
        }
        return message;
    }

    static object Value(FieldDescriptor field, int choice) => field.FieldType switch
    {
        FieldType.Message => Filled(field.MessageType, choice),
        FieldType.Enum => System.Enum.ToObject(field.EnumType.ClrType, field.EnumType.Values[^1].Number),
        FieldType.String => $"text of {field.Name}",
        FieldType.Bytes => ByteString.CopyFrom(1, 0, 255),
        FieldType.Bool => true,
        FieldType.Double => -1.5e300,
        FieldType.Float => -1.5e30f,
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => int.MinValue,
        FieldType.UInt32 or FieldType.Fixed32 => uint.MaxValue,
        FieldType.UInt64 or FieldType.Fixed64 => ulong.MaxValue,
        _ => long.MinValue,
    };
}
