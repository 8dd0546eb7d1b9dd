// The keeper of a real process: who renews lives in a worker thread, which no blocked event loop of this one delays. The
// thread is started when something is held for the first time, and begins without any help of this one's event loop. If
// it breaks (it may run out of memory) another takes its place, and is told of everything that is held.
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { systemClock } from './clock.ts'
import type { FromRenewer } from './keeper-messages.ts'
import { packed, wakeUp } from './keeper-wire.ts'
import { LeaseKeeper } from './keeper.ts'
import type { Keeper, KeeperOptions, LinkEvents, RenewerLink } from './keeper.ts'
import { openMailbox } from './mailbox.ts'

/** What the worker is started with. */
export interface WorkerData extends KeeperOptions {
  readonly port: MessagePort
  readonly mailbox: SharedArrayBuffer
}

/** What some thousand short locks leave in the time in which the other thread does not look. */
const mailboxBytes = 512 * 1024

export function threadKeeper(options: KeeperOptions): Keeper {
  return new LeaseKeeper({
    clock: systemClock,
    setTimer: (delayMs, fire) => {
      const timer = setTimeout(fire, delayMs)
      return { cancel: () => clearTimeout(timer) }
    },
    connect: (events) => connectToThread(options, events),
    exit: (code) => process.exit(code),
  })
}

function connectToThread(options: KeeperOptions, events: LinkEvents): RenewerLink {
  const { port1, port2 } = new MessageChannel()
  const mailbox = openMailbox(mailboxBytes)
  const workerData: WorkerData = { ...options, port: port2, mailbox: mailbox.memory }
  const worker = new Worker(new URL('./keeper-worker.js', import.meta.url), {
    name: 'holdfast keeper',
    workerData,
    transferList: [port2],
    // What this process was started with is not meant for it: no loaders, no inspector.
    execArgv: [],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  worker.unref()
  let isOver = false
  let isFull = false
  const broke = (why: string): void => {
    if (isOver) return
    isOver = true
    process.emitWarning(`the thread that renews locks ended (${why}); another is started`, 'HoldfastWarning')
    port1.close()
    events.broke()
  }
  worker.on('error', (error) => broke(error.message))
  worker.on('exit', (code) => broke(`exit code ${code}`))
  port1.on('message', (news: FromRenewer) => events.news(news))
  port1.unref()
  return {
    post: (message) => {
      // Once it was full everything goes through the port, behind what lies in the box: the order is kept.
      isFull ||= !mailbox.put(JSON.stringify(packed(message)))
      if (isFull) port1.postMessage(packed(message))
      else if (mailbox.isToBeWoken()) port1.postMessage(wakeUp)
    },
    receive: () => {
      const received: { readonly message: FromRenewer } | undefined = receiveMessageOnPort(port1)
      return received?.message
    },
    close: async () => {
      if (isOver) return
      isOver = true
      port1.close()
      await worker.terminate()
    },
  }
}
