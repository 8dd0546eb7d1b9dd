// Which disk of a member counts, kept a second time and independently of the core: by the founding, by what was committed
// since, and by what a leader has in its log behind that (H28).
import { asIndex } from '../../../src/ids.ts'
import type { Incarnation, Index, NodeId } from '../../../src/ids.ts'
import type { Entry, MemberReplaced } from '../../../src/raft/entry.ts'
import type { RaftState } from '../../../src/raft/state.ts'
import type { Machine } from '../machine.ts'

export class DisksInForce {
  readonly #replaced: { readonly index: Index; readonly note: MemberReplaced }[] = []
  #lastIndex = 0

  /** The next entry of the committed log. */
  committed({ index, note }: Entry): void {
    this.#lastIndex = index
    if (note?.kind === 'memberReplaced') this.#replaced.push({ index, note })
  }

  /**
   * Whether it is the disk of its member that is in force, as far as is committed anywhere, and knows it: one that is named
   * again has counted in its former life, which makes nobody count it now.
   */
  isCommitted({ id, node, disk }: Machine): boolean {
    const founder = node?.founding?.members.find((member) => member.id === id)?.incarnation
    const last = this.#replaced.findLast(({ note }) => note.member === id)
    const { meta, start } = disk.durable()
    if (meta === null || meta.incarnation !== (last?.note.incarnation ?? founder)) return false
    return last === undefined || (meta.counted !== null && Math.max(meta.counted, start.index) >= last.index)
  }

  /** By member, for somebody who leads with this log. */
  for(machine: Machine, raft: RaftState): ReadonlyMap<NodeId, Incarnation> {
    const founders = machine.node?.founding?.members ?? []
    const inForce = new Map(founders.map(({ id, incarnation }) => [id, incarnation]))
    for (const { note } of this.#replaced) inForce.set(note.member, note.incarnation)
    for (let index = asIndex(this.#lastIndex + 1); index <= raft.log.lastIndex; index = asIndex(index + 1)) {
      const note = entryOf(machine, raft, index)?.note
      if (note?.kind === 'memberReplaced') inForce.set(note.member, note.incarnation)
    }
    return inForce
  }
}

/** An entry of a member's log, wherever it has it; null when it has it no more. */
export function entryOf(machine: Machine, { log: { window } }: RaftState, index: Index): Entry | null {
  const first = window[0]
  const inMemory = first === undefined ? undefined : window[index - first.index]
  return inMemory ?? machine.disk.durable().entryAt(index)
}
