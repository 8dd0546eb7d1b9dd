// The thread that renews: the machine's clock, timers, HTTP exchanges and what the other thread says, put together. It is
// also what ends the process when a lock is lost with `onLost: 'kill'` and the other thread is busy with something else.
//
// While locks come and go it looks into its mailbox every now and then, which is soon enough for any renewal or deadline;
// when nothing has come for a while it sleeps, and is woken.
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import { systemClock } from './clock.ts'
import { Exchanges } from './exchange.ts'
import { unpacked, wakeUp } from './keeper-wire.ts'
import type { Packed } from './keeper-wire.ts'
import type { WorkerData } from './keeper-thread.ts'
import { openMailbox } from './mailbox.ts'
import { sendBy } from './renewal-exchange.ts'
import { Renewer } from './renewer.ts'

const { port, mailbox: memory, ...options }: WorkerData = workerData
/** A small part of the shortest TTL. */
const lookEveryMs = 25
const looksUntilSleep = 40
const mailbox = openMailbox(memory)
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
    const message = fromMailbox() ?? arrived.shift() ?? read()
    return message === undefined ? undefined : unpacked(message)
  },
  post: (news) => port.postMessage(news),
  send: sendBy((request) => exchanges.exchange(request)),
  kill: () => process.kill(process.pid, 'SIGKILL'),
})

let looksInVain = 0
let looking: NodeJS.Timeout | null = null
look()

port.on('message', (message: Packed) => {
  if (message !== wakeUp) arrived.push(message)
  looksInVain = 0
  look()
})

function look(): void {
  if (looking !== null) clearTimeout(looking)
  looking = null
  looksInVain = mailbox.isEmpty() && arrived.length === 0 ? looksInVain + 1 : 0
  renewer.run()
  if (looksInVain >= looksUntilSleep && mailbox.fallAsleep()) return
  looking = setTimeout(look, lookEveryMs)
}

function fromMailbox(): Packed | undefined {
  const text = mailbox.take()
  return text === undefined ? undefined : JSON.parse(text)
}

/** From the port, past its event. */
function read(): Packed | undefined {
  for (;;) {
    const received: { readonly message: Packed } | undefined = receiveMessageOnPort(port)
    if (received?.message !== wakeUp) return received?.message
  }
}
