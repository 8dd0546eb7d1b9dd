// A short life of a disk, write by write: appends, votes, a replaced tail, checkpoints, trims, and an install with its flip; and
// what a start must make of the disk wherever that life was cut off. Whatever was confirmed is there, the write in flight is
// there whole or not at all, and going on from there ends where the undisturbed life does.
import { assert, unreachable } from '../../src/assert.ts'
import { asIndex } from '../../src/ids.ts'
import { judgeChain, judgeState } from '../../src/storage/identity.ts'
import type { Installing, LogBatch, LogStore } from '../../src/storage/log-store.ts'
import type { StateInstall, StateStore } from '../../src/storage/state-store.ts'
import { chainAt, readWhole, someEntries, someHardState, someMeta, someTip, write } from './builders.ts'
import { checkpointOf, commit, end, finish, load, put } from './state-builders.ts'

export interface OpenDisk {
  readonly log: LogStore
  readonly state: StateStore
}

export interface Step {
  readonly name: string
  /** What it writes to: a crash in the middle of it concerns nothing else. */
  readonly lane: 'log' | 'state'
  /** It is begun while the step before is in flight. */
  readonly isTogether?: true
  readonly run: (disk: OpenDisk, life: Life) => Promise<void>
}

/** What a process remembers between two steps. */
export interface Life {
  install: StateInstall | null
  mark: Installing | null
}

export function newLife(): Life {
  return { install: null, mark: null }
}

const snapshot = new Map(Object.entries({ a: '20', x: 'new', y: 'new' }))
const snapshotCheckpoint = checkpointOf(snapshot, { index: asIndex(20) })

function logStep(name: string, batch: Partial<LogBatch>): Step {
  return { name, lane: 'log', run: ({ log }) => write(log, batch) }
}

function checkpointStep(index: number, changes: Record<string, string | null>, after: Record<string, string>): Step {
  return {
    name: `a checkpoint at ${index}`,
    lane: 'state',
    run: async ({ log, state }) => {
      const term = index > 4 ? 2 : 1
      const place = checkpointOf(new Map(Object.entries(after)), { index: asIndex(index) })
      const chain = await chainAt(log, index)
      await commit(state, changes, { ...place, term: someHardState(term).currentTerm, chain })
    },
  }
}

const installSteps: readonly Step[] = [
  {
    name: 'the mark of an install',
    lane: 'log',
    run: async ({ log, state }, life) => {
      life.mark = { ...someTip, ...placeOfSnapshot(), generation: state.nextGeneration }
      await write(log, { installing: life.mark })
    },
  },
  {
    name: 'the first records of a snapshot',
    lane: 'state',
    run: async ({ state }, life) => {
      assert(life.mark !== null, 'the mark comes before')
      life.install = state.install(life.mark.generation)
      await put(life.install, new Map([...snapshot].slice(0, 2)))
    },
  },
  {
    name: 'the other records of a snapshot',
    lane: 'state',
    run: async (_, { install }) => {
      assert(install !== null, 'the install has begun')
      await put(install, new Map([...snapshot].slice(2)))
    },
  },
  {
    name: 'the flip',
    lane: 'state',
    run: async (_, { install }) => {
      assert(install !== null, 'the install has begun')
      const verdict = await finish(install, snapshotCheckpoint)
      assert(verdict === 'sound', 'what was sent is what came')
      await end(install, 'flip')
    },
  },
  {
    name: 'the end of the install',
    lane: 'log',
    run: ({ log }, { mark }) => {
      assert(mark !== null, 'the mark comes before')
      return write(log, { installed: { start: mark, keepsTail: false } })
    },
  },
]

export const history: readonly Step[] = [
  logStep('the meta record', { meta: someMeta }),
  logStep('a vote', { hardState: someHardState(1, 'n1') }),
  logStep('entries', { entries: someEntries({ from: 1, to: 3 }) }),
  logStep('more entries', { entries: someEntries({ from: 4, to: 6 }) }),
  checkpointStep(3, { a: '3', c: '3' }, { a: '3', c: '3' }),
  logStep('a replaced tail with a vote', {
    truncateFrom: asIndex(5),
    entries: someEntries({ from: 5, to: 7, term: 2 }),
    hardState: someHardState(2, 'n2'),
  }),
  logStep('a trim', { trimTo: asIndex(3) }),
  checkpointStep(4, { a: '4', c: null }, { a: '4' }),
  {
    ...logStep('entries beside a checkpoint', { entries: someEntries({ from: 8, to: 9, term: 2 }) }),
    isTogether: true,
  },
  logStep('a trim with entries', { trimTo: asIndex(4), entries: someEntries({ from: 10, to: 10, term: 2 }) }),
  ...installSteps,
  logStep('entries behind a snapshot', { entries: someEntries({ from: 21, to: 22, term: 2 }) }),
  checkpointStep(21, { x: null, z: '21' }, { a: '20', y: 'new', z: '21' }),
  logStep('a trim behind a snapshot', { trimTo: asIndex(21) }),
]

const firstOfInstall = history.findIndex(({ name }) => name === 'the mark of an install')
const afterInstall = firstOfInstall + installSteps.length

function placeOfSnapshot(): Pick<Installing, 'index' | 'term' | 'time' | 'chain'> {
  const { index, term, time, chain } = snapshotCheckpoint
  return { index, term, time, chain }
}

/** All that can be read from a disk, in a form that can be compared; generations are names only. */
export async function imageOf({ log, state }: OpenDisk): Promise<{ log: string; state: string }> {
  const { stored, entries } = await readWhole(log)
  const records = [...(await load(state))]
  const installing = stored.installing === null ? null : stored.installing.index
  return {
    log: JSON.stringify({ ...stored, installing, entries }),
    state: JSON.stringify({ checkpoint: state.stored.checkpoint, records }),
  }
}

/** What is on a disk after the first steps of an undisturbed life: for each number of them, and for none. */
export type Images = readonly { readonly log: string; readonly state: string }[]

/** What a crash left: steps before `begun` were confirmed, those from there to before `to` were in flight. */
export interface CutOff {
  readonly begun: number
  readonly to: number
}

/**
 * Does what a node does at its start. Returns the steps that are still to be done; throws unless what is there is what the
 * steps done say.
 */
export async function startAgain(
  disk: OpenDisk,
  open: () => Promise<OpenDisk>,
  images: Images,
  cut: CutOff,
): Promise<{
  disk: OpenDisk
  left: readonly Step[]
}> {
  const { log, state } = disk
  const start = judgeState('the disk', log.stored, state.stored)
  const { checkpoint } = state.stored
  switch (start.kind) {
    case 'ok': {
      if (checkpoint !== null) judgeChain('the disk', checkpoint, await chainAt(log, checkpoint.index))
      return { disk, left: await stepsLeft(disk, images, cut) }
    }
    case 'discardInstall': {
      assert(start.hasState && isWithinInstall(cut), 'a mark without a flip is of an install')
      await write(log, { installing: null })
      const again = await reopened(disk, open)
      await expectImage(again, images, { log: firstOfInstall, state: firstOfInstall })
      return { disk: again, left: history.slice(firstOfInstall) }
    }
    case 'finishInstall': {
      const { installing } = log.stored
      assert(installing !== null && isWithinInstall(cut), 'a mark with a flip is of an install')
      await write(log, { installed: { start: installing, keepsTail: false } })
      const again = await reopened(disk, open)
      await expectImage(again, images, { log: afterInstall, state: afterInstall })
      return { disk: again, left: history.slice(afterInstall) }
    }
    case 'noState':
      throw new Error('the state was lost')
    default:
      return unreachable(start)
  }
}

function isWithinInstall({ begun, to }: CutOff): boolean {
  return begun >= firstOfInstall && to <= afterInstall
}

async function reopened({ log, state }: OpenDisk, open: () => Promise<OpenDisk>): Promise<OpenDisk> {
  await Promise.all([log.close(), state.close()])
  return await open()
}

/** Each lane is as before the steps in flight, or as after its own. */
async function stepsLeft(disk: OpenDisk, images: Images, { begun, to }: CutOff): Promise<readonly Step[]> {
  const found = await imageOf(disk)
  const isAt = (step: number): boolean => images[step]?.log === found.log && images[step]?.state === found.state
  // A start that was cut off after it had brought an install to its end.
  const ended = [firstOfInstall, afterInstall].find((step) => isWithinInstall({ begun, to }) && isAt(step))
  if (ended !== undefined) return history.slice(ended)
  const isDone = (lane: Step['lane']): boolean => {
    const own = history.slice(begun, to).findLastIndex((step) => step.lane === lane)
    if (own !== -1 && images[begun + own + 1]?.[lane] === found[lane]) return true
    if (images[begun]?.[lane] === found[lane]) return false
    throw new Error(`the ${lane} is ${found[lane]}, before step ${begun} it was ${images[begun]?.[lane]}`)
  }
  const done = { log: isDone('log'), state: isDone('state') }
  return history.filter((step, at) => at >= to || (at >= begun && !done[step.lane]))
}

async function expectImage(disk: OpenDisk, images: Images, steps: { log: number; state: number }): Promise<void> {
  const found = await imageOf(disk)
  for (const lane of ['log', 'state'] as const) {
    const expected = images[steps[lane]]?.[lane]
    if (found[lane] !== expected) throw new Error(`the ${lane} is ${found[lane]}, not ${expected}`)
  }
}
