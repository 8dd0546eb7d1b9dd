// Text in columns, for people. Names come from others: what a terminal would obey is shown, not sent.

/** What would move the cursor, ring, change colours or turn the direction of writing, as a visible escape. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\u200e\u200f]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u
const withoutWidth = /\p{Mn}|\p{Me}|\p{Cf}/u

/** Columns that a terminal needs for it, about. */
export function widthOf(text: string): number {
  let width = 0
  for (const character of text) {
    if (!withoutWidth.test(character)) width += wide.test(character) ? 2 : 1
  }
  return width
}

/** At most so many columns: what is cut off is shown as an ellipsis. */
export function cut(text: string, widthMax: number): string {
  if (widthOf(text) <= widthMax) return text
  let kept = ''
  let width = 0
  for (const character of text) {
    width += widthOf(character)
    if (width >= widthMax) break
    kept += character
  }
  return widthMax < 1 ? '' : `${kept}…`
}

export type Cell = string | number | null

/** The header and one line for each row, without blanks at the end. A cell that is null is shown as `-`. */
export function tableLines(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  { cellMax = Infinity }: { readonly cellMax?: number } = {},
): readonly string[] {
  const texts = rows.map((row) => row.map((cell) => cut(printable(cell === null ? '-' : String(cell)), cellMax)))
  const all = [header, ...texts]
  const widths = header.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ''))))
  return all.map((row) =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)))
}
