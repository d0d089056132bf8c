using System.Buffers;
using System.Text;
using System.Text.Json;

namespace PrivateKernels.Server;

/// <summary>
/// One JSON object per line. Holds methods, names of resources, codes, reasons, incident ids and durations of queries;
/// never a request, a vector, a label, a cell, a count of rows or the text of an unforeseen exception.
/// </summary>
sealed class JsonLog(TextWriter? writer, LogLevel least) : ILoggerProvider
{
    internal void Write(LogLevel level, string @event, params ReadOnlySpan<(string Key, object? Value)> fields)
    {
        if (writer is null || level < least) return;
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("time", DateTime.UtcNow);
            json.WriteString("level", level.ToString());
            json.WriteString("event", @event);
            foreach ((string key, object? value) in fields)
            {
                if (value is null or "") continue;
                json.WritePropertyName(key);
                if (value is double number) json.WriteNumberValue(number);
                else json.WriteStringValue(value.ToString());
            }
            json.WriteEndObject();
        }
        string line = Encoding.UTF8.GetString(buffer.WrittenSpan);
        lock (writer)
        {
            writer.WriteLine(line);
            writer.Flush();
        }
    }

    /// <summary>An exception that nobody foresaw: type and stack, since its message may quote anything.</summary>
    internal void Incident(string incident, string where, Exception failure) =>
        Write(LogLevel.Error, "incident", ("incident", incident), ("where", where), ("type", failure.GetType().FullName),
            ("stack", failure.StackTrace), ("inner", failure.InnerException?.GetType().FullName));

    public ILogger CreateLogger(string categoryName) => new FrameworkLogger(this, categoryName);

    public void Dispose()
    {
    }

    /// <summary>Lines of the web framework: warnings and errors, by event and exception type only.</summary>
    sealed class FrameworkLogger(JsonLog log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel level) => level >= LogLevel.Warning;

        public void Log<TState>(
            LogLevel level, EventId id, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(level))
                log.Write(level, "framework", ("category", category), ("id", id.Name), ("type", exception?.GetType().FullName));
        }
    }
}
