// Durations as people write and read them: `500ms`, `3s`, `1.5m`, `1h30m`. Inside, everything is milliseconds.

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Whole milliseconds; null for anything that is not a duration. Only nothing, `0`, needs no unit. */
export function parseDuration(text: string): number | null {
  if (text === '0') return 0
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) return null
  let totalMs = 0
  for (const [, count, unit] of text.matchAll(/([\d.]+)([a-z]+)/g)) totalMs += Number(count) * (unitMs[unit ?? ''] ?? 0)
  return Number.isSafeInteger(Math.round(totalMs)) ? Math.round(totalMs) : null
}

/** Short, for columns: the two largest units that matter, rounded down. */
export function durationText(ms: number): string {
  const totalS = Math.floor(ms / 1000)
  if (totalS < 1) return `${Math.max(0, Math.floor(ms))}ms`
  if (totalS < 10) return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`
  if (totalS < 60) return `${totalS}s`
  if (totalS < 3600) return `${Math.floor(totalS / 60)}m${twoDigits(totalS % 60)}s`
  if (totalS < 86_400) return `${Math.floor(totalS / 3600)}h${twoDigits(Math.floor(totalS / 60) % 60)}m`
  return `${Math.floor(totalS / 86_400)}d${twoDigits(Math.floor(totalS / 3600) % 24)}h`
}

function twoDigits(count: number): string {
  return String(count).padStart(2, '0')
}
