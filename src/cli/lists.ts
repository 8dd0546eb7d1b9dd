// `ls`, `show` and `sessions`: what there is in the store, as the cluster says it at this moment.
import { Option } from 'commander'
import type { Command } from 'commander'
import { openStore } from './connection.ts'
import type { Holder, LockNow, LockSummary, SessionNow, SessionSummary } from './connection.ts'
import { durationText } from './durations.ts'
import { count, withConnection, withExamples } from './flags.ts'
import type { ConnectionFlags } from './flags.ts'
import { Output } from './output.ts'
import { readPages } from './pages.ts'
import { tableLines } from './table.ts'
import type { Cell } from './table.ts'

interface ListFlags extends ConnectionFlags {
  readonly limit: number
}

/** Wider cells are cut: names may have 512 bytes. */
const cellMax = 48

export function addLs(program: Command): void {
  const command = withExamples(program.command('ls'), 'holdfast ls', 'holdfast ls jobs/ --json')
    .summary('lists the locks that are held or awaited')
    .description('Lists the locks that are held or awaited, in the order of their names.')
    .argument('[prefix]', 'of the names', '')
    .addOption(limitOption())
  withConnection(command).action(async (prefix: string, flags: ListFlags) => {
    process.exitCode = await ls(prefix, flags)
  })
}

export function addShow(program: Command): void {
  const command = withExamples(program.command('show'), 'holdfast show nightly-report')
    .summary('shows who holds a lock and who waits for it')
    .description('Shows who holds the lock and who waits for it (the first hundred). A lock that nobody holds is free.')
    .argument('<name>', 'of the lock')
  withConnection(command).action(async (name: string, flags: ConnectionFlags) => {
    await using store = openStore(flags)
    const lock = await store.operations.lock(name)
    new Output(flags).result(lock, () => lockLines(lock))
  })
}

export function addSessions(program: Command): void {
  const command = withExamples(program.command('sessions'), 'holdfast sessions', 'holdfast sessions s-42')
    .summary('lists the sessions, or shows one')
    .description('Lists the sessions, or shows what one of them holds and awaits.')
    .argument('[session]', 'id of one')
    .addOption(limitOption())
  withConnection(command).action(async (id: string | undefined, flags: ListFlags) => {
    process.exitCode = id === undefined ? await sessions(flags) : await session(id, flags)
  })
}

function limitOption(): Option {
  return new Option('--limit <count>', 'at most so many').default(1000).argParser(count({ min: 1 }))
}

async function ls(prefix: string, flags: ListFlags): Promise<number> {
  await using store = openStore(flags)
  const { items, isCut } = await readPages(flags.limit, async (page) => {
    const { locks, cursor } = await store.operations.locks({ ...page, ...(prefix === '' ? {} : { prefix }) })
    return { items: locks, cursor }
  })
  const output = new Output(flags)
  output.result({ locks: items, isCut }, () => tableLines(lockHeader, items.map(lockRow), { cellMax }))
  if (isCut) output.remark(`there are more: --limit is ${flags.limit}`)
  return 0
}

export const lockHeader = ['LOCK', 'HOLDER', 'TOKEN', 'HELD', 'EXPIRES', 'IN LINE']

export function lockRow({ lock, holders: [holder], queueLength }: LockSummary): readonly Cell[] {
  return [lock, ...holderCells(holder), queueLength]
}

function holderCells(holder: Holder | undefined): readonly Cell[] {
  if (holder === undefined) return [null, null, null, null]
  const { owner, session, token, heldMs, expiresInMs } = holder
  return [owner ?? session ?? 'somebody', token, durationText(heldMs), `in ${durationText(expiresInMs)}`]
}

/** The holder, then the line. */
export function lockLines({ lock, holders, queueLength, queue }: LockNow): readonly string[] {
  const lines = [...tableLines(lockHeader, [lockRow({ lock, holders, queueLength })])]
  const metadata = holders[0]?.metadata ?? null
  if (holders.length === 0) lines.push('', 'free')
  if (metadata !== null) lines.push('', ...tableLines(['METADATA'], [[JSON.stringify(metadata)]]))
  if (queue.length === 0) return lines
  const rows = queue.map((waiter) => [
    waiter.position,
    waiter.owner ?? waiter.session ?? 'somebody',
    waiter.sequence,
    durationText(waiter.waitedMs),
  ])
  lines.push('', ...tableLines(['PLACE', 'WAITER', 'SEQUENCE', 'WAITED'], rows, { cellMax }))
  if (queueLength > queue.length) lines.push(`and ${queueLength - queue.length} more`)
  return lines
}

async function sessions(flags: ListFlags): Promise<number> {
  await using store = openStore(flags)
  const { items, isCut } = await readPages(flags.limit, async (page) => {
    const { sessions, cursor } = await store.operations.sessions(page)
    return { items: sessions, cursor }
  })
  const output = new Output(flags)
  output.result({ sessions: items, isCut }, () => tableLines(sessionHeader, items.map(sessionRow), { cellMax }))
  if (isCut) output.remark(`there are more: --limit is ${flags.limit}`)
  return 0
}

const sessionHeader = ['SESSION', 'NAME', 'TTL', 'EXPIRES', 'REQUESTS']

function sessionRow({ session, name, ttlMs, expiresInMs, requests }: SessionSummary): readonly Cell[] {
  return [session, name, durationText(ttlMs), `in ${durationText(expiresInMs)}`, requests]
}

async function session(id: string, flags: ConnectionFlags): Promise<number> {
  await using store = openStore(flags)
  const found = await store.operations.session(id)
  new Output(flags).result(found, () => sessionLines(found))
  return 0
}

export function sessionLines({ holds, waits, ...facts }: SessionNow): readonly string[] {
  const lines = [...tableLines(sessionHeader, [sessionRow({ ...facts, requests: holds.length + waits.length })])]
  if (facts.metadata !== null) lines.push('', ...tableLines(['METADATA'], [[JSON.stringify(facts.metadata)]]))
  const held = holds.map(({ lock, token }) => [lock, token])
  if (held.length > 0) lines.push('', ...tableLines(['HOLDS', 'TOKEN'], held, { cellMax }))
  const awaited = waits.map(({ lock, position, sequence }) => [lock, position, sequence])
  if (awaited.length > 0) lines.push('', ...tableLines(['AWAITS', 'PLACE', 'SEQUENCE'], awaited, { cellMax }))
  return lines
}
