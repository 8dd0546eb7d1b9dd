// The page docs/reference.md, written from the OpenAPI document that the server makes of the schemas it validates with, and
// from the rows of its errors. Nothing on that page is written by hand, so nothing on it can be out of date.
import { errorRows } from '../../src/http/errors.ts'

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Route>>>>
}

interface Route {
  readonly summary?: string
  readonly tags?: readonly string[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly required?: boolean; readonly content: Readonly<Record<string, { schema: Schema }>> }
  readonly responses: Readonly<Record<string, Response>>
}

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema?: Schema
}

interface Response {
  readonly description?: string
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>
}

interface Schema {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly minimum?: number
  readonly maximum?: number
  readonly default?: unknown
}

const sections = [
  ['sessions', 'Sessions'],
  ['locks', 'Locks'],
  ['requests', 'Requests'],
  ['cluster', 'Cluster'],
  ['operation', 'Operation'],
] as const

export function writeReference(document: OpenApiDocument): string {
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]) => ({ path, method: method.toUpperCase(), route })),
  )
  const chapters = sections.flatMap(([tag, title]) => {
    const ofTag = routes.filter(({ route }) => route.tags?.includes(tag) === true)
    return [`## ${title}`, ...ofTag.map(tellRoute)]
  })
  return `${[opening, ...chapters, tellErrors()].join('\n\n')}\n`
}

const opening = `# Reference

Generated from the schemas that validate requests and write answers; change those, then \`UPDATE=1 npm test\`. Every node
answers every call. Durations are integer milliseconds and their names end in \`Ms\`. Every answer has the headers
\`Holdfast-Index\`, the log index that it reflects, and, while a leader is known, \`Holdfast-Leader\`, where it is. A body may be
left out where all its fields are optional. The same as a document for machines: \`GET /openapi.json\`.`

function tellRoute({ path, method, route }: { path: string; method: string; route: Route }): string {
  const parts = [`### ${method} ${path}`, sentence(route.summary ?? '')]
  const query = (route.parameters ?? []).filter((parameter) => parameter.in !== 'path')
  if (query.length > 0) parts.push(list(query.map(tellParameter)))
  const body = route.requestBody?.content['application/json']?.schema
  if (body?.properties !== undefined) parts.push(`Body:\n\n${list(tellFields(body))}`)
  parts.push(
    `Answers:\n\n${list(Object.entries(route.responses).map(([status, answer]) => tellAnswer(status, answer)))}`,
  )
  return parts.filter((part) => part !== '').join('\n\n')
}

function tellParameter({ name, in: where, required, description, schema }: Parameter): string {
  const kind = where === 'header' ? 'header' : 'query'
  return `${kind} \`${name}\`${required === true ? '' : ', optional'}${tail(description, schema)}`
}

function tellFields({ properties = {}, required = [] }: Schema): string[] {
  return Object.entries(properties).map(([name, schema]) => {
    const optional = required.includes(name) ? '' : ', optional'
    return `\`${name}\`: ${typeOf(schema)}${optional}${tail(schema.description, schema)}`
  })
}

function tellAnswer(status: string, { description, content }: Response): string {
  const schema = Object.values(content ?? {})[0]?.schema
  if (Number(status) >= 400) return `**${status}**: ${codesIn(description ?? '')}`
  return `**${status}**${schema === undefined ? ': no body' : `: ${shapeOf(schema)}`}`
}

/** Descriptions of problems have a paragraph for each code, which it begins with. What they mean stands once, at the end. */
function codesIn(description: string): string {
  return [...description.matchAll(/^`\w+`/gm)].join(', ')
}

/** An answer as its fields, without what each of them means: that is said where it is asked for, or by its name. */
function shapeOf(schema: Schema): string {
  if (schema.properties === undefined) return typeOf(schema)
  const required = schema.required ?? []
  const fields = Object.entries(schema.properties).map(
    ([name, field]) => `${name}${required.includes(name) ? '' : '?'}: ${nested(field)}`,
  )
  return `\`{ ${fields.join(', ')} }\``
}

function nested(schema: Schema): string {
  if (schema.properties !== undefined) return shapeOf(schema).replaceAll('`', '')
  if (schema.items !== undefined) return `[${nested(schema.items)}]`
  return typeOf(schema)
}

function typeOf({ type, enum: values, const: value, anyOf, items }: Schema): string {
  if (values !== undefined) return values.map((one) => JSON.stringify(one)).join(' or ')
  if (value !== undefined) return JSON.stringify(value)
  if (anyOf !== undefined) return anyOf.map(typeOf).join(' or ')
  if (items !== undefined) return `list of ${typeOf(items)}`
  if (typeof type === 'string') return type
  return type === undefined ? 'anything' : type.join(' or ')
}

function tail(description: string | undefined, schema: Schema | undefined): string {
  const { minimum, maximum, default: standard } = schema ?? {}
  const bounds =
    maximum === undefined || maximum === Number.MAX_SAFE_INTEGER || minimum === undefined
      ? []
      : [`${minimum} to ${maximum}`]
  const notes = [...bounds, ...(standard === undefined ? [] : [`default ${JSON.stringify(standard)}`])]
  const inBrackets = notes.length === 0 ? '' : ` (${notes.join('; ')})`
  return `${inBrackets}${description === undefined ? '' : `: ${description}`}`
}

function tellErrors(): string {
  const rows = Object.entries(errorRows)
    .toSorted(([, a], [, b]) => a.status - b.status)
    .map(
      ([code, { status, title, meaning, retryAfterS }]) =>
        `| ${status} | \`${code}\` | ${title} | ${meaning}${retryAfterS === undefined ? '' : ' (`Retry-After`)'} |`,
    )
  return `## Errors

\`application/problem+json\` as of RFC 9457: \`{ type, title, status, code, detail, .. }\`. Switch on \`code\`: the set is closed.

| status | code | title | meaning |
| --- | --- | --- | --- |
${rows.join('\n')}`
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join('\n')
}

function sentence(text: string): string {
  return text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}
