using System.Diagnostics;
using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Prometheus;
using StatusCode = Grpc.Core.StatusCode;

namespace PrivateKernels.Server;

/// <summary>
/// The meters of one server, read by the side port and, if an endpoint is configured, sent by OTLP. No label and no value
/// depends on private rows: calls are timed only where they read releases, and the free disk is rounded.
/// </summary>
sealed class Telemetry : IDisposable
{
    const string MeterName = "pk";

    static readonly double[] SecondBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

    readonly Meter _meter = new(MeterName, ServerHost.Version);
    readonly Count _requests, _guardCloses, _points;
    readonly Histogram<double> _seconds;
    readonly CollectorRegistry _registry = Metrics.NewCustomRegistry();
    readonly IDisposable _adapter;
    readonly List<IDisposable> _exporters = [];

    internal Telemetry(TelemetryOptions options)
    {
        MetricFactory factory = Metrics.WithCustomRegistry(_registry);
        _requests = new(_meter, factory, "requests_total", "Calls that ended, by method and canonical code.", "code", "method");
        _guardCloses = new(_meter, factory, "stream_guard_closes_total", "Streams closed by a guard, by reason.", "reason");
        _points = new(_meter, factory, "query_points_total", "Query points answered.");
        _seconds = _meter.CreateHistogram<double>("query_seconds", description: "Duration of calls that read releases, by method.");
        _adapter = MeterAdapter.StartListening(new MeterAdapterOptions
        {
            Registry = _registry,
            MetricFactory = factory,
            // Other servers of this process have meters of the same name. Counters would become gauges: see Count.
            InstrumentFilterPredicate = instrument => ReferenceEquals(instrument.Meter, _meter) && instrument is not Counter<long>,
            ResolveHistogramBuckets = static _ => SecondBuckets,
        });
        if (options.OtlpEndpoint.Length > 0) Export(new Uri(options.OtlpEndpoint));
    }

    /// <summary>A call has ended.</summary>
    /// <param name="method">Full name of the RPC.</param>
    /// <param name="code">Canonical code.</param>
    /// <param name="reason">Reason of the refusal, or "".</param>
    /// <param name="duration">Of a call that reads releases only; null for every other.</param>
    internal void AddCall(string method, StatusCode code, string reason, TimeSpan? duration)
    {
        _requests.Add(1, code.ToString(), method);
        if (reason.StartsWith("STREAM_", StringComparison.Ordinal)) _guardCloses.Add(1, reason);
        if (duration is { } time) _seconds.Record(time.TotalSeconds, new KeyValuePair<string, object?>("method", method));
    }

    internal void AddPoints(int count) => _points.Add(count);

    /// <summary>A value that is read when somebody asks for it.</summary>
    internal void Observe(string name, string description, Func<double> read) =>
        _meter.CreateObservableGauge(name, read, description: description);

    /// <summary>The same, one value for each label value.</summary>
    internal void Observe(string name, string description, string label, Func<IEnumerable<(string Label, double Value)>> read) =>
        _meter.CreateObservableGauge(
            name, () => read().Select(r => new Measurement<double>(r.Value, new KeyValuePair<string, object?>(label, r.Label))),
            description: description);

    /// <summary>All of it in the text format of Prometheus.</summary>
    internal Task WriteAsync(Stream stream, CancellationToken cancellation) =>
        _registry.CollectAndExportAsTextAsync(stream, cancellation);

    public void Dispose()
    {
        foreach (IDisposable exporter in _exporters) exporter.Dispose();
        _adapter.Dispose();
        _meter.Dispose();
    }

    void Export(Uri endpoint)
    {
        void Configure(OtlpExporterOptions o) => o.Endpoint = endpoint;
        ResourceBuilder resource = ResourceBuilder.CreateEmpty().AddService("privatekernels", serviceVersion: ServerHost.Version);
        _exporters.Add(Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(MeterName).AddOtlpExporter(Configure).Build());
        _exporters.Add(Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource("Microsoft.AspNetCore")
            .AddOtlpExporter(Configure).Build());
    }

    /// <summary>
    /// A number of events, for OTLP and for /metrics: the adapter of meters shows counters as gauges, of which Prometheus takes
    /// no rates.
    /// </summary>
    sealed class Count(Meter meter, MetricFactory factory, string name, string description, params string[] labels)
    {
        readonly Counter<long> _sent = meter.CreateCounter<long>(name, description: description);
        readonly Counter _shown = factory.CreateCounter($"{MeterName}_{name}", description, labels);

        internal void Add(long count, params string[] values)
        {
            var tags = new TagList();
            for (int i = 0; i < values.Length; i++) tags.Add(labels[i], values[i]);
            _sent.Add(count, tags);
            _shown.WithLabels(values).Inc(count);
        }
    }
}
