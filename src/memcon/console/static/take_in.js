// Files one after another, each with its progress; dropped ones too. Without this the form sends them at once.

const form = document.getElementById('take-in');
const results = document.getElementById('results');
const says = document.getElementById('says');

function line() {
  const item = document.createElement('li');
  results.append(item);
  return item;
}

function tell(item, one) {
  item.textContent = '';
  if (one.state === 'refused') {
    const person = document.createElement('span');
    person.className = 'person';
    person.textContent = 'Not taken in:';
    item.append(person, ` ${one.file}. ${one.text}. ${one.code}`);
    return;
  }
  const link = document.createElement('a');
  link.href = one.address;
  link.textContent = one.call;
  item.append(one.state === 'taken' ? 'Taken in as ' : 'Known already as ', link, `: ${one.file}`);
  if (one.text) item.append(`. ${one.text}.`);
}

function send(file) {
  const item = line();
  const bar = document.createElement('progress');
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute('aria-label', `Sending ${file.name}`);
  item.append(`${file.name} `, bar);
  const data = new FormData(form);
  data.delete('file');
  data.append('file', file, file.name);
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open('POST', form.action);
    request.setRequestHeader('accept', 'application/json');
    request.upload.addEventListener('progress', (event) => {
      if (event.lengthComputable) bar.value = event.loaded / event.total;
      if (event.loaded === event.total) bar.removeAttribute('value');  // it is being read now
    });
    request.addEventListener('loadend', () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* no answer, or a page */ }
      const one = (answer.files || [])[0];
      tell(item, one || { state: 'refused', file: file.name, text: answer.problem || `the console answered ${request.status || 'nothing'}`, code: '' });
      done(one ? one.state : 'refused');
    });
    request.send(data);
  });
}

async function all(files) {
  const counts = { taken: 0, known: 0, refused: 0 };
  let at = 0;
  for (const file of files) {
    at += 1;
    says.textContent = `File ${at} of ${files.length}`;
    counts[await send(file)] += 1;
  }
  says.textContent = `${counts.taken} taken in, ${counts.known} known already, ${counts.refused} refused.`;
}

if (form) {
  const drop = document.getElementById('drop');
  const input = document.getElementById('file');
  document.getElementById('drophint').hidden = false;
  form.addEventListener('submit', (event) => {
    if (!input.files.length) return;
    event.preventDefault();
    all([...input.files]).then(() => { input.value = ''; });
  });
  for (const kind of ['dragover', 'drop']) drop.addEventListener(kind, (event) => event.preventDefault());
  drop.addEventListener('drop', (event) => all([...event.dataTransfer.files]));
}
