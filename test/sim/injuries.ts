// What disks of a world have lost of what they had confirmed, and how many at once: never more than a minority of the
// members, which is as much as Holdfast promises to survive (S3). A disk is hurt until its machine is a whole member
// again: started since on a disk that counts, with a state of its own.
import type { NodeId } from '../../src/ids.ts'
import { isCounted } from '../../src/raft/members.ts'
import type { MemoryDisk } from '../../src/testing/memory-disk.ts'
import type { Machine } from './machine.ts'

export type Injury = 'lost' | 'rottenLog' | 'rottenState' | 'lostTail'

interface Hurt {
  readonly machine: Machine
  readonly injury: Injury
  readonly disk: MemoryDisk
  /** Processes started by then: only a later one has seen what is wrong. */
  readonly starts: number
}

export class Injuries {
  readonly #machines: readonly Machine[]
  /** Disks that are lost for ever. */
  readonly #wiped: ReadonlySet<NodeId>
  readonly #isInForce: (machine: Machine) => boolean
  readonly #hurt = new Map<NodeId, Hurt>()

  /** `isInForce`: whether its disk is the one that counts, as far as is committed. */
  constructor(
    machines: readonly Machine[],
    wiped: ReadonlySet<NodeId>,
    isInForce: (machine: Machine) => boolean = () => true,
  ) {
    this.#machines = machines
    this.#wiped = wiped
    this.#isInForce = isInForce
  }

  /** Whether the disk of `machine` may be hurt, too, and a minority would be. */
  mayHurt(machine: Machine): boolean {
    this.#forgetHealed()
    const { size } = new Set([...this.#wiped, ...this.#hurt.keys(), machine.id])
    return (machine.node?.replica ?? null) !== null && !this.#hurt.has(machine.id) && size * 2 < this.#machines.length
  }

  hurt(machine: Machine, injury: Injury): void {
    this.#hurt.set(machine.id, { machine, injury, disk: machine.disk, starts: machine.starts })
  }

  of(machine: Machine): Injury | null {
    return this.#hurt.get(machine.id)?.injury ?? null
  }

  /** Who is not whole again. */
  get left(): readonly NodeId[] {
    this.#forgetHealed()
    return [...this.#hurt.keys()]
  }

  #forgetHealed(): void {
    for (const [id, hurt] of this.#hurt) if (isWhole(hurt) && this.#isInForce(hurt.machine)) this.#hurt.delete(id)
  }
}

function isWhole({ machine, injury, disk, starts }: Hurt): boolean {
  // It looks whole until it meets who knows better; then it is replaced.
  if (injury === 'lostTail' && machine.disk === disk) return false
  const replica = machine.isUp ? (machine.node?.replica ?? null) : null
  if (replica === null || machine.starts <= starts) return false
  const { meta, firstIndex, state, isInstalling } = machine.disk.durable()
  const hasState = firstIndex === 1 || (state.checkpoint !== null && state.checkpoint.index >= firstIndex - 1)
  const { raft } = replica.core
  return meta !== null && isCounted(raft) && raft.canServe && hasState && !isInstalling
}
