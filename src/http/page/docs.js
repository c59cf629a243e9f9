// Lets the visitor send each operation's request, and shows the answer beside its curl command.

const LONGEST = 4000

/** The request that a form describes: path parameters in place, other parameters only if they are not empty. */
function request(form) {
  const query = new URLSearchParams()
  const headers = {}
  let path = form.dataset.path
  for (const input of form.querySelectorAll('input[data-in]')) {
    if (input.dataset.in === 'path') path = path.replace(`{${input.name}}`, encodeURIComponent(input.value))
    else if (input.value && input.dataset.in === 'header') headers[input.name] = input.value
    else if (input.value) query.set(input.name, input.value)
  }
  const body = form.elements.body
  return {
    url: location.origin + path + (String(query) && `?${query}`),
    method: form.dataset.method,
    body: body?.value,
    headers: body ? { ...headers, 'Content-Type': body.dataset.type } : headers,
  }
}

const quoted = text => `'${text.replaceAll("'", "'\\''")}'`

function curl({ url, method, body, headers }) {
  const parts = ['curl -i']
  if (method !== 'GET') parts.push(`-X ${method}`)
  for (const [name, value] of Object.entries(headers)) parts.push('-H', quoted(`${name}: ${value}`))
  if (body !== undefined) parts.push('-d', quoted(body))
  return [...parts, quoted(url)].join(' ')
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name)
  made.textContent = text
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  return made
}

function readable(text, type) {
  const shown = /[/+]json/.test(type) ? JSON.stringify(JSON.parse(text), null, 2) : text
  return shown.length > LONGEST ? `${shown.slice(0, LONGEST)}\n… ${shown.length - LONGEST} more characters` : shown
}

async function send(form) {
  const { url, ...options } = request(form)
  const answer = form.querySelector('.answer')
  try {
    const started = performance.now()
    const response = await fetch(url, { ...options, cache: 'no-store' })
    const text = await response.text()
    const took = Math.round(performance.now() - started)
    const status = element('p', '')
    status.append(
      element('span', String(response.status), { class: `badge ${response.ok ? 'ok' : 'failed'}` }),
      ` ${response.statusText || ''} in ${took} ms`,
    )
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n')
    answer.replaceChildren(status, block('Headers', headers))
    if (text) answer.append(block('Body', readable(text, response.headers.get('content-type') ?? '')))
  } catch (error) {
    answer.replaceChildren(element('p', `No answer: ${error.message}`, { class: 'error' }))
  }
}

const block = (label, text) => element('pre', text, { role: 'group', tabindex: '0', 'aria-label': label })

for (const form of document.querySelectorAll('form.try')) {
  const example = form.parentElement.querySelector('pre code')
  const show = () => { example.textContent = curl(request(form)) }
  form.addEventListener('input', show)
  show()
  form.addEventListener('submit', event => {
    event.preventDefault()
    send(form)
  })
}
