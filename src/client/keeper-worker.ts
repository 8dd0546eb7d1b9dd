// The thread that renews: the machine's clock, timers, HTTP exchanges and the port to the other thread, put together. It is
// also what ends the process when a lock is lost with `onLost: 'kill'` and the other thread is busy with something else.
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import { systemClock } from './clock.ts'
import { Exchanges } from './exchange.ts'
import { unpacked } from './keeper-wire.ts'
import type { Packed } from './keeper-wire.ts'
import type { WorkerData } from './keeper-thread.ts'
import { sendBy } from './renewal-exchange.ts'
import { Renewer } from './renewer.ts'

const { port, ...options }: WorkerData = workerData
const exchanges = new Exchanges()
/** What came by the event of the port, and was not read yet. */
const arrived: Packed[] = []

const renewer = new Renewer(options, {
  clock: systemClock,
  random: Math.random,
  setTimer: (delayMs, fire) => {
    const timer = setTimeout(fire, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
  receive: () => {
    const message = arrived.shift() ?? read()
    return message === undefined ? undefined : unpacked(message)
  },
  post: (news) => port.postMessage(news),
  send: sendBy((request) => exchanges.exchange(request)),
  kill: () => process.kill(process.pid, 'SIGKILL'),
})

port.on('message', (message: Packed) => {
  arrived.push(message)
  renewer.run()
})

function read(): Packed | undefined {
  const received: { readonly message: Packed } | undefined = receiveMessageOnPort(port)
  return received?.message
}
