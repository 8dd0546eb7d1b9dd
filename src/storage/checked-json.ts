// Small records as JSON that can be read by people and verified by us: what is behind `crc32` is the checksum of the line
// before it. Used for files beside the databases; the shape of what was read is judged by whoever knows it.
import { crc32 } from 'node:zlib'
import type { ClusterId, Incarnation, NodeId } from '../ids.ts'
import { asClusterId, asIncarnation, asNodeId } from '../ids.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** One line of JSON, one line with its CRC-32. */
export function formatChecked(record: object): string {
  const line = JSON.stringify(record)
  return `${line}\ncrc32 ${checksum(line)}\n`
}

/** null unless `text` is exactly what formatChecked gives. */
export function parseChecked(text: string): JsonObject | null {
  const [line, sum, end, ...more] = text.split('\n')
  if (line === undefined || sum !== `crc32 ${checksum(line)}` || end !== '' || more.length > 0) return null
  return parseObject(line)
}

export function parseObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

export function toNodeId(value: unknown): NodeId | null {
  return typeof value === 'string' && /^[A-Za-z0-9._-]{1,32}$/.test(value) ? asNodeId(value) : null
}

export function toIncarnation(value: unknown): Incarnation | null {
  return isHex32(value) ? asIncarnation(value) : null
}

export function toClusterId(value: unknown): ClusterId | null {
  return isHex32(value) ? asClusterId(value) : null
}

function isHex32(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)
}

function checksum(line: string): string {
  return crc32(line).toString(16).padStart(8, '0')
}
