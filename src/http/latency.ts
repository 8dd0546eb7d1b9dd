// How long calls took, as a Prometheus histogram. Written on every call, so it is an addition into an array and nothing
// else; prom-client's own histogram builds and hashes a label set for every observation.
import { Histogram } from 'prom-client'
import type { Registry } from 'prom-client'

/** Upper bounds in seconds. */
const bounds = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 4, 8, 30, 120, 600]

export class Latency {
  /** By bucket, the last for everything above the last bound; not cumulative. */
  readonly counts = new Float64Array(bounds.length + 1)
  sumS = 0

  observe(ms: number): void {
    const seconds = ms / 1000
    let bucket = 0
    while (bucket < bounds.length && seconds > (bounds[bucket] ?? 0)) bucket++
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.sumS += seconds
  }
}

/** A histogram whose numbers are kept elsewhere. */
export class LatencyHistogram extends Histogram<'call'> {
  readonly #name: string
  readonly #help: string
  readonly #latencies: () => Iterable<readonly [call: string, Latency]>

  constructor(
    { name, help, registry }: { name: string; help: string; registry: Registry },
    latencies: () => Iterable<readonly [call: string, Latency]>,
  ) {
    super({ name, help, labelNames: ['call'], buckets: [...bounds], registers: [registry] })
    this.#name = name
    this.#help = help
    this.#latencies = latencies
  }

  /** What the registry, and `get`, ask a histogram for. */
  getForPromString() {
    const values = [...this.#latencies()].flatMap(([call, latency]) => samplesOf(this.#name, call, latency))
    return Promise.resolve({ name: this.#name, help: this.#help, type: 'histogram', values })
  }
}

function samplesOf(name: string, call: string, { counts, sumS }: Latency) {
  const samples = []
  let total = 0
  for (const [bucket, count] of counts.entries()) {
    total += count
    samples.push({ metricName: `${name}_bucket`, labels: { call, le: bounds[bucket] ?? '+Inf' }, value: total })
  }
  samples.push({ metricName: `${name}_sum`, labels: { call }, value: sumS })
  samples.push({ metricName: `${name}_count`, labels: { call }, value: total })
  return samples
}
