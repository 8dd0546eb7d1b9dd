// Drives the bare server with the clients of the other measurements.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { cpuSecondsOf } from './cluster.ts'
import { Connection } from './connection.ts'
import { seconds } from './pairs.ts'

export interface BareResult {
  readonly requestsPerSecond: number
  readonly serverCpuMicros: number
}

export async function measureBare(clients: number, forSeconds: number): Promise<BareResult> {
  const script = fileURLToPath(new URL('bare-server.js', import.meta.url))
  const server = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [line]: unknown[] = await once(server.stdout, 'data')
    const port = Number(String(line))
    const shared = { count: 0, running: true }
    const loads = Array.from({ length: clients }, () => runClient(new Connection({ host: '127.0.0.1', port }), shared))
    await seconds(1)
    const [countBefore, cpuBefore, began] = [shared.count, cpuSecondsOf(server.pid), performance.now()]
    await seconds(forSeconds)
    const [count, cpu] = [shared.count - countBefore, cpuSecondsOf(server.pid) - cpuBefore]
    const elapsedSeconds = (performance.now() - began) / 1000
    shared.running = false
    await Promise.all(loads)
    return { requestsPerSecond: count / elapsedSeconds, serverCpuMicros: (cpu * 1e6) / count }
  } finally {
    server.kill('SIGKILL')
  }
}

async function runClient(connection: Connection, shared: { count: number; running: boolean }): Promise<void> {
  while (shared.running) {
    await connection.post('/v1/locks/bench%2Fbare/acquire', '{"requestId":"bench-0000000000000000","ttlMs":30000}')
    shared.count++
  }
  connection.close()
}
