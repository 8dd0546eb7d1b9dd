// Golden scripts: scenarios in plain text. A line `> verb words` is a command (several are joined by `;`), the lines
// below it are what the world showed, everything else is for the reader. Running a script gives its text back with the
// shown lines as they are now; a test compares, UPDATE=1 writes. The verbs are in `raft-script-verbs.ts`.
import { firstDiskOf } from './raft-founding.ts'
import { printEffect, printMessage } from './raft-print.ts'
import { verbs } from './raft-script-verbs.ts'
import type { Scene } from './raft-scene.ts'
import type { WorldEvent } from './raft-world.ts'

export function runScript(text: string): string {
  const scene = createScene()
  const shown: string[] = []
  for (const [position, line] of text.split('\n').entries()) {
    if (line.startsWith('> ')) {
      shown.push(line, ...runLine(scene, line.slice(2), position + 1))
    } else if (line === '' || line.startsWith('#')) {
      shown.push(line)
    }
  }
  return shown.join('\n')
}

function createScene(): Scene {
  const scene: Scene = {
    setup: [],
    options: {},
    world: null,
    traces: new Set(),
    counts: new Map(),
    lines: [],
    startedAt: 0,
    watch: (event) => show(scene, event),
  }
  return scene
}

function runLine(scene: Scene, line: string, lineNumber: number): string[] {
  scene.lines.length = 0
  for (const command of line.split(';')) {
    const words = command.trim().split(/\s+/)
    const verb = verbs[words[0] ?? '']
    if (verb === undefined) throw new Error(`line ${lineNumber}: no verb ${words[0]}`)
    scene.startedAt = scene.world?.now ?? 0
    try {
      verb(scene, words.slice(1))
    } catch (error) {
      const before = scene.lines.slice(-10).join('\n')
      throw new Error(`line ${lineNumber}: ${command.trim()}: ${String(error)}\n${before}`, { cause: error })
    }
  }
  return scene.lines.map((text) => `  ${text}`)
}

/** Time is shown only while a command lets it pass. */
function show(scene: Scene, event: WorldEvent): void {
  const at = Math.round(scene.world?.now ?? 0)
  const time = at > scene.startedAt ? `@${at} ` : ''
  if (event.kind === 'effect') {
    const printed = printEffect(event.effect)
    if (printed === null || (printed.trace !== null && !scene.traces.has(printed.trace))) return
    scene.lines.push(`${time}${event.member.id} ${printed.text}`)
  } else if (event.kind === 'sent') {
    scene.counts.set(event.message.kind, (scene.counts.get(event.message.kind) ?? 0) + 1)
    if (!scene.traces.has('messages')) return
    const disk = event.as?.disk ?? 'does not count'
    const speaker = disk === firstDiskOf(event.from) ? event.from : `${event.from} (${disk})`
    scene.lines.push(`${time}${speaker} -> ${event.to} ${printMessage(event.message)}${event.isLost ? ' (lost)' : ''}`)
  } else if (event.kind === 'written' && scene.traces.has('disk')) {
    scene.lines.push(`${time}${event.member.id} has written up to ${event.io}`)
  }
}
