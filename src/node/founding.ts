// How a cluster comes to be (DESIGN 6, Identity). It is founded once, and every member takes part: each stores the same
// founding record (cluster id, members with their incarnations, limits), and nobody votes or serves before it knows that
// all have. From then on an empty disk that turns up under a known name is a stranger, and a stranger never votes: two
// of them out of three would otherwise found a second cluster whose tokens start at 1 (H27).
//
// The record needs no author: it is computed from what the members said of themselves, so all who heard all compute the
// same. This file decides; storing and telling is the node's part.
import { createHash } from 'node:crypto'
import type { RejectReason } from '../codec/frame.ts'
import type { FoundingView, Introduction } from '../codec/introduction.ts'
import { asClusterId } from '../ids.ts'
import type { Incarnation, NodeId } from '../ids.ts'
import type { FoundingRecord, Restored } from '../storage/founding-store.ts'

export interface FoundingSetup {
  readonly self: NodeId
  readonly incarnation: Incarnation
  /** All members by configuration, ascending. */
  readonly members: readonly NodeId[]
  readonly limits: Readonly<Record<string, number>>
  /** What this node was started to take over; null without a backup. */
  readonly restored: Restored | null
  /** What is on disk. */
  readonly record: FoundingRecord | null
  readonly founded: boolean
}

/** What the node must do next: store the record, or store that every member has stored it. */
export type FoundingDuty =
  /** The cluster is founded, and we come with another disk: stores that, and the record. */
  | { readonly kind: 'join'; readonly record: FoundingRecord }
  | { readonly kind: 'storeRecord'; readonly record: FoundingRecord }
  | { readonly kind: 'storeFounded' }

/** The part of what a member says of itself that changes during a founding. */
export type FoundingStage = Pick<FoundingView, 'clusterId' | 'founded'>

export class Founding {
  readonly #setup: FoundingSetup
  readonly #heard = new Map<NodeId, { incarnation: Incarnation; view: FoundingView }>()
  /** Stored by us. */
  #record: FoundingRecord | null
  #founded: boolean
  #busy = false
  /** Of a founded cluster that took us in; null when none did. */
  #joining: FoundingRecord | null = null

  constructor(setup: FoundingSetup) {
    this.#setup = setup
    this.#record = setup.record
    this.#founded = setup.founded
  }

  get record(): FoundingRecord | null {
    return this.#record
  }

  /** Whether this very disk took part in the founding. */
  get isFounder(): boolean {
    const { self, incarnation } = this.#setup
    return this.#record?.members.some((member) => member.id === self && member.incarnation === incarnation) === true
  }

  /** Whether a founded cluster has taken us in, who have a new disk. */
  get isJoining(): boolean {
    return this.#joining !== null
  }

  get founded(): boolean {
    return this.#founded
  }

  /** What we say of ourselves. */
  view(): FoundingView {
    const { members, limits } = this.#setup
    return {
      members: members.join(','),
      limits,
      backup: this.#restored?.sha256 ?? null,
      clusterId: this.#record?.clusterId ?? null,
      record: this.#record,
      founded: this.#founded,
    }
  }

  /**
   * Why a peer that introduces itself so must be refused; null when it is a member of this cluster. `inForce` is the disk of that node as far as we know, which may not be the newest: once it has the founding record, the
   * cluster took it in, and whether it counts is seen by every member in its own log (H28).
   */
  judge({ node, incarnation, founding }: Introduction, inForce: Incarnation | null): RejectReason | null {
    if (node === this.#setup.self || !this.#setup.members.includes(node)) return 'not_a_member'
    if (founding.members !== this.#setup.members.join(',')) return 'other_members'
    if (this.#hasOtherBackup(founding)) return 'other_backup'
    const record = this.#record
    if (record === null) return null
    if (founding.clusterId !== null && founding.clusterId !== record.clusterId) return 'foreign_cluster'
    return founding.clusterId !== null || inForce === incarnation ? null : 'stranger'
  }

  /** Of the founding that counts for us; once it is stored, whatever this process was started with. */
  get #restored(): Restored | null {
    return this.#record === null ? this.#setup.restored : this.#record.restored
  }

  /** Members who begin to count at different numbers must not found a cluster. Who comes later needs no backup. */
  #hasOtherBackup({ backup, founded }: FoundingView): boolean {
    const own = this.#restored?.sha256 ?? null
    const needsNone = (this.#founded && backup === null) || (founded && own === null)
    return backup !== own && !needsNone
  }

  /** A member of a founded cluster did not refuse us: if our disk is new, it is one that came in place of a lost one. */
  welcomedBy({ founding }: Introduction): void {
    if (this.#record === null && founding.founded) this.#joining ??= founding.record
  }

  /**
   * Whether a member of a founded cluster, where every founder is known to have stored the record, names this very disk
   * as one of them, which has none: then it has lost more than that, and must not come back as a new one (H28).
   */
  hasForgotten({ founding: { record, founded } }: Introduction): boolean {
    const { self, incarnation } = this.#setup
    if (this.#record !== null || !founded || record === null) return false
    return record.members.some((member) => member.id === self && member.incarnation === incarnation)
  }

  /** A peer that was not refused introduced itself. */
  introduced({ node, incarnation, founding }: Introduction): void {
    const known = this.#heard.get(node)
    // What it said over another link may arrive later although it was said before: nobody goes back in a founding.
    const before = known?.incarnation === incarnation ? known.view : null
    this.#heard.set(node, { incarnation, view: before === null ? founding : further(before, founding) })
  }

  /** A peer has come further since it introduced itself. */
  news(node: NodeId, news: FoundingStage): void {
    const heard = this.#heard.get(node)
    if (heard !== undefined) heard.view = further(heard.view, news)
  }

  /** The next duty, given once until it is reported as done; null when there is none now. */
  nextDuty(): FoundingDuty | null {
    if (this.#busy || this.#founded) return null
    const duty = this.#duty()
    this.#busy = duty !== null
    return duty
  }

  recordStored(record: FoundingRecord): void {
    this.#busy = false
    this.#record = record
  }

  foundedStored(): void {
    this.#busy = false
    this.#founded = true
  }

  #duty(): FoundingDuty | null {
    const others = this.#setup.members.filter((member) => member !== this.#setup.self)
    const record = this.#record
    if (record === null && this.#joining !== null) return { kind: 'join', record: this.#joining }
    // Of a cluster that is founded every founder has the record: without it we are none, and must not found another (H27).
    if (record === null && [...this.#heard.values()].some(({ view }) => view.founded)) return null
    if (record === null) {
      return others.every((member) => this.#heard.has(member)) ? { kind: 'storeRecord', record: this.#compose() } : null
    }
    const views = others.map((member) => this.#heard.get(member)?.view)
    const stored = views.map((view) => view?.clusterId === record.clusterId)
    const someoneKnows = views.some((view, position) => view?.founded === true && stored[position] === true)
    return someoneKnows || stored.every(Boolean) ? { kind: 'storeFounded' } : null
  }

  #compose(): FoundingRecord {
    const { self, members, limits, restored } = this.#setup
    const identified = members.map((id) => ({
      id,
      incarnation:
        id === self ? this.#setup.incarnation : (this.#heard.get(id)?.incarnation ?? this.#setup.incarnation),
    }))
    // Configurations may differ; those of the first member count for all.
    const [first] = members
    const firstLimits = first === undefined || first === self ? limits : (this.#heard.get(first)?.view.limits ?? limits)
    const sorted = Object.fromEntries(Object.entries(firstLimits).sort(([a], [b]) => (a < b ? -1 : 1)))
    const digest = createHash('sha256')
      .update(JSON.stringify([identified, sorted, restored?.sha256 ?? null]))
      .digest('hex')
    return { clusterId: asClusterId(digest.slice(0, 32)), members: identified, limits: sorted, restored }
  }
}

function further(view: FoundingView, { clusterId, founded }: FoundingStage): FoundingView {
  return { ...view, clusterId: clusterId ?? view.clusterId, founded: founded || view.founded }
}
