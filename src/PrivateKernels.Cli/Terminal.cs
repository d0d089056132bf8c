using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>
/// Where a command speaks: one JSON document with --json; tables, bars and colours on a terminal; plain text where output
/// goes elsewhere.
/// </summary>
sealed class Terminal
{
    /// <summary>Wide enough that a row of a table is never broken.</summary>
    const int PlainWidth = 4096;

    /// <summary>Where sentences are broken, since no terminal breaks them.</summary>
    const int SentenceWidth = 120;

    static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new FiniteOrNull() },
    };

    readonly TextWriter _output;
    readonly TextWriter _error;
    readonly IAnsiConsole _console;
    readonly IAnsiConsole _errorConsole;

    public Terminal(TextWriter output, TextWriter error, bool isJson)
    {
        (_output, _error, IsJson) = (output, error, isJson);
        (_console, _errorConsole) = (ConsoleOf(output), ConsoleOf(error));
    }

    /// <summary>Whether one JSON document is wanted and nothing else.</summary>
    public bool IsJson { get; }

    /// <summary>Whether people watch.</summary>
    public bool IsInteractive => !IsJson && _console.Profile.Out.IsTerminal;

    /// <summary>The answer of a command: the document with --json, what people read otherwise.</summary>
    public void Write(object document, Action<IAnsiConsole> forPeople)
    {
        if (IsJson) _output.WriteLine(JsonSerializer.Serialize(document, Format));
        else forPeople(_console);
    }

    /// <summary>An answer that is a JSON document already, with --json or without.</summary>
    public void WriteDocument(string json) => _output.WriteLine(json);

    /// <summary>Something on the way to the answer; nothing with --json.</summary>
    public void Note(Action<IAnsiConsole> forPeople)
    {
        if (!IsJson) forPeople(_console);
    }

    public void Write(Failure failure)
    {
        if (IsJson)
        {
            var document =
                new { failure.Reason, failure.Message, Details = failure.Details ?? new Dictionary<string, string>() };
            _error.WriteLine(JsonSerializer.Serialize(document, Format));
            return;
        }
        _errorConsole.MarkupLineInterpolated($"[red]{failure.Reason}[/] {failure.Message}");
        foreach ((string key, string value) in Show.Details(failure.Details ?? new Dictionary<string, string>()))
            _errorConsole.MarkupLineInterpolated($"  [grey]{key}[/] {value}");
    }

    /// <summary>Something beside the answer, where it is in nobody's way; nothing with --json.</summary>
    public void Remark(string text)
    {
        if (!IsJson) _errorConsole.MarkupLineInterpolated($"{text}");
    }

    /// <summary>A table with a frame on a terminal, and in Markdown elsewhere.</summary>
    public Table Table(params string[] columns)
    {
        var table = new Table { Border = IsInteractive ? TableBorder.Rounded : TableBorder.Markdown };
        foreach (string column in columns) table.AddColumn(new TableColumn(column));
        return table;
    }

    /// <summary>Text for a cell of a table as it stands: in Markdown a bar would begin another cell.</summary>
    public string Cell(string text) =>
        Markup.Escape(IsInteractive ? text : text.Replace("|", "\\|", StringComparison.Ordinal));

    /// <summary>Sentences, too long for a table, under a heading of their own.</summary>
    public void Sentences(IAnsiConsole console, IEnumerable<(string Heading, string Text)> sentences)
    {
        foreach ((string heading, string text) in sentences)
        {
            string line = heading + ":";
            foreach (string word in text.Split(' '))
            {
                if (!IsInteractive && line.Length + 1 + word.Length > SentenceWidth)
                {
                    console.WriteLine(line);
                    line = " ";
                }
                line += " " + word;
            }
            console.WriteLine(line);
        }
    }

    /// <summary>Does work under a progress bar; the work reports a part between 0 and 1.</summary>
    public async Task<T> ProgressAsync<T>(string what, Func<IProgress<double>, Task<T>> work)
    {
        if (!IsInteractive || !_errorConsole.Profile.Out.IsTerminal) return await work(new Reporter(static _ => { }));
        return await _errorConsole.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(),
                new ElapsedTimeColumn())
            .StartAsync(async context =>
            {
                ProgressTask task = context.AddTask(Markup.Escape(what));
                T result = await work(new Reporter(part => task.Value = 100 * part));
                task.Value = 100;
                return result;
            });
    }

    /// <summary>Does work behind a spinner.</summary>
    public async Task<T> WaitAsync<T>(string what, Func<Task<T>> work) => IsInteractive
        ? await _console.Status().Spinner(Spinner.Known.Dots).StartAsync(Markup.Escape(what), _ => work())
        : await work();

    static IAnsiConsole ConsoleOf(TextWriter writer)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) });
        if (!console.Profile.Out.IsTerminal) console.Profile.Width = PlainWidth;
        return console;
    }

    /// <summary>Reports at once, on the thread that reports: a bar must not lag behind.</summary>
    sealed class Reporter(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }

    /// <summary>JSON has no NaN: a number that does not exist is null.</summary>
    sealed class FiniteOrNull : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.GetDouble();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
        {
            if (double.IsFinite(value)) writer.WriteNumberValue(value);
            else writer.WriteNullValue();
        }
    }
}
