// The process at the other end of a pipe from `holdfast run`. It ends the command at once when `run` is gone without having
// said that nothing is left, and at the deadline when `run` is stopped, or too slow, to do it. It has a session of its own,
// so that what kills the group of `run`, or comes from a terminal, does not reach it. When both are killed nobody is left
// to act: then the deadline of the store holds, and the fencing token.
import { elapsedMs, systemClock } from '../client/clock.ts'
import { dueNow, leftOf } from './due.ts'
import type { Span } from './due.ts'
import { isAlive, signalTree } from './process-tree.ts'
import { readWord } from './watchdog-words.ts'
import type { Word } from './watchdog-words.ts'

/** A process that was being forked while we looked is found when we look again. */
const lookAgainMs = 20
const quietLooks = 5
/** What does not go away after so long waits for a disk or a network file system in the kernel, and will die there. */
const killingMaxMs = 60_000

interface Told {
  mark: string | null
  leader: number | null
  deadline: Span | null
}

const told: Told = { mark: null, leader: null, deadline: null }
let timer: NodeJS.Timeout | null = null
let unread = ''

process.title = 'holdfast watchdog'
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGPIPE', 'SIGTSTP'] as const)
  process.on(signal, () => {})
process.stdin.setEncoding('utf8')
process.stdin.on('data', hear)
process.stdin.on('end', endOfPipe)
process.stdin.on('error', endOfPipe)
process.stdout.on('error', () => {})
process.stdout.write('ready\n')

function hear(text: string | Buffer): void {
  const lines = `${unread}${text.toString()}`.split('\n')
  unread = lines.pop() ?? ''
  for (const line of lines) {
    const word = readWord(line)
    if (word !== null) note(word)
  }
  look()
}

function note(word: Word): void {
  switch (word.kind) {
    case 'mark':
      told.mark = word.mark
      return
    case 'leader':
      told.leader = word.leader
      return
    case 'deadline':
      told.deadline = word
      return
    case 'done':
      process.exit(0)
  }
}

function endOfPipe(): void {
  kill(() => process.exit(0))
}

function look(): void {
  if (timer !== null) clearTimeout(timer)
  if (told.deadline === null) return
  const due = dueNow({ remainingMs: leftOf(told.deadline, systemClock.now()), graceMs: 0, isTerminated: false })
  if (due.kind === 'look_again') {
    // Timers come before what lies in the pipe: that is read first, it may be a later deadline.
    timer = setTimeout(() => setImmediate(look), due.afterMs)
    return
  }
  // `run` will find the command dead when it goes on, and ends; nothing that it says brings anything back to life.
  told.deadline = null
  kill(() => {})
}

/** Until nothing is found any more. */
function kill(then: () => void): void {
  if (timer !== null) clearTimeout(timer)
  const { mark, leader } = told
  if (mark === null) return then()
  const since = systemClock.now()
  let quiet = 0
  // Of the leader, too: it was alive when `run` last said something, that is a moment ago, or is held by a `run` that is
  // stopped.
  signalTree({ leader, mark }, 'SIGKILL', { isLeaderOurs: true })
  const again = (): void => {
    signalTree({ leader, mark }, 'SIGKILL', { isLeaderOurs: false })
    quiet = isAlive({ leader, mark }) ? 0 : quiet + 1
    const isTooLong = elapsedMs({ from: since, to: systemClock.now() }) > killingMaxMs
    if (quiet === quietLooks || isTooLong) return then()
    timer = setTimeout(again, lookAgainMs)
  }
  again()
}
