/** Makes the tree of a template, by the grammar of Go's text/template/parse, and refuses what no evaluation could ever do. */
import type { Command, Node, Operand, Pipe, Template } from './ast.js'
import { functions, refusedFunctions, refusedMethods } from './functions.js'
import type { Token, TokenKind } from './lexer.js'
import { maxDepth, maxSource } from './limits.js'
import { parseCharacter, parseNumber, unquote } from './literals.js'
import { TemplateError } from './template-error.js'
import { createTokenReader } from './token-reader.js'
import { argumentProblem } from './values.js'

/** How a list of nodes ended. */
type End = 'end' | 'else'

/** The pipelines' contexts, as Go's messages name them. */
type Context = 'command' | 'if' | 'with' | 'range' | 'parenthesized pipeline'

/** Keywords of named templates. */
const unoffered: readonly string[] = ['define', 'block', 'template']

/** The tree of a template. Throws `TemplateError`, in Go's words where rule authors know them. */
export function parse(source: string): Template {
  if (source.length > maxSource) throw new TemplateError(`the template is longer than ${maxSource} characters`, source, maxSource)
  const tokens = createTokenReader(source)
  const { next, nextWord, peekWord, unexpected, problem } = tokens
  let depth = 0
  let loops = 0
  /** Whether the dot is still the session: `with` and `range` change it. */
  let dotIsRoot = true
  let variables: readonly string[] = ['$']

  const nodes = parseNodes()
  return { source, nodes: nodes.list }

  function parseNodes(): { list: Node[], ended?: End } {
    const list: Node[] = []
    while (true) {
      const token = next()
      if (token.kind === 'end') {
        if (depth > 0) problem(token, 'unexpected EOF')
        return { list }
      }
      if (token.kind === 'text') {
        list.push({ kind: 'text', text: token.text })
        continue
      }
      if (token.kind !== 'left') unexpected(token, 'input')
      const node = parseAction()
      if (node === 'end' || node === 'else') {
        if (depth === 0) problem(token, `unexpected {{${node}}}`)
        return { list, ended: node }
      }
      list.push(node)
    }
  }

  /** What `{{` begins. After `else` its keyword's own `if` or `with`, if any, is still to be read. */
  function parseAction(): Node | End {
    const token = nextWord()
    if (token.kind === 'word') {
      if (unoffered.includes(token.text)) problem(token, `{{${token.text}}} is refused: named templates are not offered`)
      switch (token.text) {
        case 'if': case 'with': case 'range': return parseControl(token, token.text)
        case 'break': case 'continue': return parseJump(token, token.text)
        case 'end': return closeWith('end')
        case 'else': return ['if', 'with'].includes(peekWord().text) ? 'else' : closeWith('else')
      }
    }
    tokens.back()
    return { kind: 'action', at: token.at, pipe: parsePipe('command', 'right') }
  }

  function closeWith(end: End): End {
    const token = nextWord()
    if (token.kind !== 'right') unexpected(token, end)
    return end
  }

  function parseJump(token: Token, kind: 'break' | 'continue'): Node {
    const after = nextWord()
    if (after.kind !== 'right') unexpected(after, `{{${kind}}}`)
    if (loops === 0) problem(token, `{{${kind}}} outside {{range}}`)
    return { kind, at: token.at }
  }

  function parseControl(token: Token, kind: 'if' | 'with' | 'range'): Node {
    const outer = { variables, dotIsRoot }
    descend(token)
    const pipe = parsePipe(kind, 'right')
    const inPipe = variables
    if (kind !== 'if') dotIsRoot = false
    if (kind === 'range') loops++
    const body = parseNodes()
    if (kind === 'range') loops--
    variables = inPipe
    dotIsRoot = outer.dotIsRoot
    const otherwise = body.ended === 'else' ? parseElse(kind) : []
    depth--
    variables = outer.variables
    return { kind, at: token.at, pipe, body: body.list, otherwise }
  }

  /** `{{else if}}` and `{{else with}}` are a branch inside the else, that shares its `{{end}}`. */
  function parseElse(kind: 'if' | 'with' | 'range'): Node[] {
    const token = peekWord()
    if (token.kind === 'word' && (token.text === 'if' || token.text === 'with')) {
      if (token.text !== kind) unexpected(token, `{{else}} of {{${kind}}}`)
      nextWord()
      return [parseControl(token, kind)]
    }
    const { list, ended } = parseNodes()
    if (ended !== 'end') problem(peekWord(), 'expected end; found {{else}}')
    return list
  }

  function parsePipe(context: Context, closing: TokenKind): Pipe {
    const { at } = peekWord()
    const declared = parseDeclarations(context)
    const commands: Command[] = []
    let token = nextWord()
    while (token.kind !== closing) {
      tokens.back()
      commands.push(parseCommand(context, commands.length))
      token = nextWord()
    }
    if (commands.length === 0) problem(token, `missing value for ${context}`)
    return { kind: 'pipe', at, variables: declared.names, assigns: declared.assigns, commands }
  }

  /** `$x :=`, `$x =`, and for `range` `$i, $x :=`. Nothing is read when there is no declaration. */
  function parseDeclarations(context: Context): { names: string[], assigns: boolean } {
    const start = tokens.mark()
    const names: string[] = []
    while (peekWord().kind === 'variable') {
      names.push(nextWord().text)
      const token = nextWord()
      if (token.kind === 'declare' || token.kind === 'assign') {
        const assigns = token.kind === 'assign'
        const unknown = assigns ? names.find(name => !variables.includes(name)) : undefined
        if (unknown !== undefined) problem(token, `undefined variable "${unknown}"`)
        if (!assigns) variables = [...variables, ...names]
        return { names, assigns }
      }
      if (token.kind !== 'comma') break
      if (context !== 'range' || names.length === 2) problem(token, `too many declarations in ${context}`)
      if (peekWord().kind !== 'variable') problem(token, 'range can only initialize variables')
    }
    tokens.reset(start)
    return { names: [], assigns: false }
  }

  function parseCommand(context: Context, stage: number): Command {
    const { at } = peekWord()
    const first = parseOperand(context)
    const args: Operand[] = []
    let token = next()
    while (token.kind === 'space') {
      if (!['right', 'close', 'pipe'].includes(peekWord().kind)) args.push(parseOperand('operand'))
      token = next()
    }
    if (token.kind === 'right' || token.kind === 'close') tokens.back()
    else if (token.kind !== 'pipe') unexpected(token, 'operand')
    checkCommand(first, args, stage)
    return { at, first, args }
  }

  /** What Go finds out when it evaluates, although it can't depend on the session. */
  function checkCommand(first: Operand, args: readonly Operand[], stage: number): void {
    if (['bool', 'string', 'number', 'nil', 'dot'].includes(first.kind)) {
      if (stage > 0) problem(first, `non executable command in pipeline stage ${stage + 1}`)
      if (first.kind === 'nil') problem(first, 'nil is not a command')
      if (args.length > 0) problem(first, 'can\'t give argument to non-function')
    }
    checkArguments(first, args.length + (stage > 0 ? 1 : 0))
    for (const arg of args) checkArguments(arg, 0)
  }

  function checkArguments(operand: Operand, count: number): void {
    if (operand.kind === 'chain') return checkArguments(operand.of, 0)
    const wrong = operand.kind === 'function' ? argumentProblem(operand.name, operand.function, count) : undefined
    if (wrong !== undefined) problem(operand, wrong)
  }

  /** A term and the fields that follow it without a space. */
  function parseOperand(context: string): Operand {
    const term = parseTerm(context)
    const path: string[] = []
    while (tokens.peek().kind === 'field') path.push(next().text.slice(1))
    return path.length === 0 ? checkMethods(term) : withFields(term, path)
  }

  function withFields(term: Operand, path: readonly string[]): Operand {
    switch (term.kind) {
      case 'field': case 'variable': return checkMethods({ ...term, path: [...term.path, ...path] })
      case 'bool': case 'string': case 'number': case 'nil': case 'dot': return problem(term, 'unexpected . after term')
    }
    return { kind: 'chain', at: term.at, of: term, path }
  }

  /** Methods that Go has and we refuse, where it is plain that the session is meant. */
  function checkMethods(operand: Operand): Operand {
    const fromRoot = operand.kind === 'field' ? dotIsRoot : operand.kind === 'variable' && operand.name === '$'
    if (!fromRoot || (operand.kind !== 'field' && operand.kind !== 'variable')) return operand
    const method = refusedMethods.find(path => `${operand.path.join('.')}.`.startsWith(`${path}.`))
    if (method !== undefined) problem(operand, `.${method} is refused: only methods that read the request are offered`)
    return operand
  }

  function parseTerm(context: string): Operand {
    const token = nextWord()
    const { at, text } = token
    switch (token.kind) {
      case 'word': return parseWord(token, context)
      case 'dot': return { kind: 'dot', at }
      case 'field': return { kind: 'field', at, path: [text.slice(1)] }
      case 'variable':
        if (!variables.includes(text)) problem(token, `undefined variable "${text}"`)
        return { kind: 'variable', at, name: text, path: [] }
      case 'number': case 'char': {
        const value = token.kind === 'char' ? parseCharacter(text) : parseNumber(text)
        return value === undefined ? problem(token, `illegal number syntax: ${text}`) : { kind: 'number', at, value }
      }
      case 'string': {
        const value = unquote(text)
        return value === undefined ? problem(token, 'invalid syntax in quoted string') : { kind: 'string', at, value }
      }
      case 'open': {
        descend(token)
        const pipe = parsePipe('parenthesized pipeline', 'close')
        depth--
        return pipe
      }
    }
    return unexpected(token, context)
  }

  function parseWord(token: Token, context: string): Operand {
    const { at, text } = token
    switch (text) {
      case 'true': case 'false': return { kind: 'bool', at, value: text === 'true' }
      case 'nil': return { kind: 'nil', at }
      case 'if': case 'else': case 'end': case 'range': case 'with': case 'break': case 'continue':
      case 'define': case 'block': case 'template': return unexpected(token, context)
    }
    const found = functions.get(text)
    if (found !== undefined) return { kind: 'function', at, name: text, function: found }
    const reason = refusedFunctions.get(text)
    return problem(token, reason === undefined ? `function "${text}" not defined` : `function "${text}" is refused: ${reason}`)
  }

  function descend(token: Token): void {
    depth++
    if (depth > maxDepth) problem(token, 'max expression depth exceeded')
  }
}
