// The leader's side of forwarding: commands of all nodes, in the order they arrived, packed into entries. Commands of one
// node are never reordered, whatever their priority, because state ignores a number below one it has applied (H21). What
// cannot be taken is refused to its sender, by the name of the sending, so that it knows this copy is not in the log.
import { decodeCommand } from '../codec/command.ts'
import type { ForwardRefusal } from '../codec/frame.ts'
import { FormatError } from '../codec/packr.ts'
import type { NodeId } from '../ids.ts'
import { bringsWork } from './own-commands.ts'
import type { Sending } from './own-commands.ts'

/** An entry is bounded so that applying one never takes long. */
export const entryBytesMax = 256 * 1024
export const entryCommandsMax = 2000

/** How much can be taken in, in bytes: of what brings work, and of all else, for which there is a reserve. */
export interface Room {
  readonly ordinary: number
  readonly exempt: number
  /** Nothing that brings work is taken in, for want of disk space. */
  readonly isDiskLow: boolean
}

/** Says to `node` that commands of one of its sendings were not appended. */
export type Refuse = (node: NodeId, sending: number, reason: ForwardRefusal, numbers: readonly number[]) => void

/** Commands that go into one entry. */
export interface Packed {
  readonly payload: Uint8Array
  readonly count: number
  /** It could not be appended: refuses them all. */
  undo(reason: ForwardRefusal): void
}

interface Waiting {
  readonly node: NodeId
  readonly sending: number
  readonly number: number
  readonly bytes: Uint8Array
}

export class Intake {
  readonly #refuse: Refuse
  #waiting: Waiting[] = []
  /** Bytes waiting to be packed. */
  bytes = 0

  constructor(refuse: Refuse) {
    this.#refuse = refuse
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /**
   * Takes commands of `node` in, as far as there is room for them. Throws FormatError when they are no commands of that
   * node.
   */
  take(node: NodeId, { sending, commands }: Sending, room: Room): void {
    const decoded = commands.map((bytes) => ({ bytes, ...decodeCommand(bytes) }))
    if (decoded.some(({ origin }) => origin.node !== node)) throw new FormatError('a command of another node')
    const [overloaded, diskLow]: [number[], number[]] = [[], []]
    for (const { bytes, origin, command } of decoded) {
      const left = (bringsWork(command) ? room.ordinary : room.exempt) - this.bytes
      if (room.isDiskLow && bringsWork(command)) {
        diskLow.push(origin.number)
      } else if (left >= bytes.length) {
        this.#waiting.push({ node, sending, number: origin.number, bytes })
        this.bytes += bytes.length
      } else {
        overloaded.push(origin.number)
      }
    }
    if (overloaded.length > 0) this.#refuse(node, sending, 'overloaded', overloaded)
    if (diskLow.length > 0) this.#refuse(node, sending, 'diskLow', diskLow)
  }

  /** The next payload; empty when nothing waits. */
  pack(): Packed {
    let [count, bytes] = [0, 0]
    for (const { bytes: command } of this.#waiting) {
      if (count > 0 && (bytes + command.length > entryBytesMax || count >= entryCommandsMax)) break
      count++
      bytes += command.length
    }
    const packed = this.#waiting.splice(0, count)
    this.bytes -= bytes
    const payload = new Uint8Array(bytes)
    let offset = 0
    for (const command of packed) {
      payload.set(command.bytes, offset)
      offset += command.bytes.length
    }
    return { payload, count, undo: (reason) => this.#refuseAll(packed, reason) }
  }

  /** We do not lead: nothing that waits will be appended here. */
  refuseAll(): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.bytes = 0
    this.#refuseAll(waiting, 'notLeader')
  }

  #refuseAll(commands: readonly Waiting[], reason: ForwardRefusal): void {
    const bySending = new Map<string, { node: NodeId; sending: number; numbers: number[] }>()
    for (const { node, sending, number } of commands) {
      const key = `${sending} ${node}`
      const group = bySending.get(key)
      if (group === undefined) bySending.set(key, { node, sending, numbers: [number] })
      else group.numbers.push(number)
    }
    for (const { node, sending, numbers } of bySending.values()) this.#refuse(node, sending, reason, numbers)
  }
}
