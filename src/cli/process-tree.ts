// The processes of a command: its process group, and whatever left that group. The group gets a signal by one system call,
// which no fork can escape. A shell with job control puts its jobs into other groups, and a daemon leaves its session:
// on Linux they are found in /proc, by the session, and by a mark in the environment that every process inherits.
// Elsewhere the group is all there is. Nobody can find a process that has left the session and thrown away its environment.
import { existsSync, readdirSync, readFileSync } from 'node:fs'

export interface ProcessTree {
  /** Process, group and session of the command; null before it was started. */
  readonly leader: number | null
  /** 32 hexadecimal digits that stand in `markVariable` in the environment of all of them. */
  readonly mark: string
}

/** Marks of all the runs that a process is under, outermost first. */
export const markVariable = 'HOLDFAST_RUN'

/** Anything shorter might stand in the environment of a stranger. */
const markPattern = /^[0-9a-f]{32}$/
const hasProc = existsSync('/proc/self/stat')

interface Member {
  /** As `kill` takes it: negative for a whole group. */
  readonly target: number
  readonly group: number
}

export function isMark(text: string): boolean {
  return markPattern.test(text)
}

/**
 * Once to every process of the tree that can be found. `isLeaderOurs`: nobody has waited for the leader yet, so its number
 * is surely not another's; then the group is signalled as one, first.
 */
export function signalTree(
  tree: ProcessTree,
  signal: NodeJS.Signals,
  { isLeaderOurs }: { isLeaderOurs: boolean },
): void {
  const { leader } = tree
  if (!isLeaderOurs || leader === null) {
    for (const { target } of membersOf(tree)) send(target, signal)
    return
  }
  send(-leader, signal)
  for (const { target, group } of membersOf(tree)) if (group !== leader) send(target, signal)
}

/** As a terminal does. Only while nobody has waited for the leader. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  send(-leader, signal)
}

/** Zombies do nothing any more: they do not count. */
export function isAlive(tree: ProcessTree): boolean {
  return membersOf(tree).length > 0
}

function membersOf(tree: ProcessTree): readonly Member[] {
  if (!isMark(tree.mark)) throw new Error(`"${tree.mark}" marks nothing`)
  if (!hasProc) return membersWithoutProc(tree)
  const members: Member[] = []
  for (const name of readdirSync('/proc')) {
    const target = Number(name)
    if (!Number.isInteger(target) || target === process.pid) continue
    const group = groupIfMember(target, tree)
    if (group !== null) members.push({ target, group })
  }
  return members
}

function membersWithoutProc({ leader }: ProcessTree): readonly Member[] {
  return leader !== null && send(-leader, 0) ? [{ target: -leader, group: leader }] : []
}

function groupIfMember(target: number, { leader, mark }: ProcessTree): number | null {
  try {
    // The name, in parentheses, may contain anything.
    const stat = readFileSync(`/proc/${target}/stat`, 'latin1')
    const [state = '', , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state === 'Z' || state === 'X') return null
    const isMember = Number(session) === leader || readFileSync(`/proc/${target}/environ`, 'latin1').includes(mark)
    return isMember ? Number(group) : null
  } catch {
    // It is gone, or another user's.
    return null
  }
}

/** False when there is none, or none that we may signal. */
function send(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, signal)
    return true
  } catch {
    return false
  }
}
