// The thread that renews: the machine's clock, timers, HTTP exchanges and the port to the other thread, put together. It is
// also what ends the process when a lock is lost with `onLost: 'kill'` and the other thread is busy with something else.
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import { systemClock } from './clock.ts'
import { ExchangeError, Exchanges } from './exchange.ts'
import type { ToRenewer } from './keeper-messages.ts'
import type { WorkerData } from './keeper-thread.ts'
import type { RenewalFailure } from './keeping.ts'
import { Renewer } from './renewer.ts'

const { port, ...options }: WorkerData = workerData
const exchanges = new Exchanges()
/** What came by the event of the port, and was not read yet. */
const arrived: ToRenewer[] = []

const renewer = new Renewer(options, {
  clock: systemClock,
  random: Math.random,
  setTimer: (delayMs, fire) => {
    const timer = setTimeout(fire, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
  receive: () => {
    const first = arrived.shift()
    if (first !== undefined) return first
    const received: { readonly message: ToRenewer } | undefined = receiveMessageOnPort(port)
    return received?.message
  },
  post: (news) => port.postMessage(news),
  send: (call, ends) => {
    const controller = new AbortController()
    const asked = { ...call, method: 'POST', signal: controller.signal } as const
    exchanges.exchange(asked).then(
      (answer) => ends.answered(answer),
      (error: unknown) => ends.failed(failureOf(error)),
    )
    return { cancel: () => controller.abort() }
  },
  kill: () => process.kill(process.pid, 'SIGKILL'),
})

port.on('message', (message: ToRenewer) => {
  arrived.push(message)
  renewer.run()
})

function failureOf(error: unknown): RenewalFailure {
  const wasStale = error instanceof ExchangeError && error.wasStale
  return { why: error instanceof Error ? error.message : String(error), wasStale }
}
