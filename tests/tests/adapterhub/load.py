"""Logits of the AdapterHub library for adapters that compacter exported, and of plain T5s.

Reads a JSON object from standard input: `ids` and `decoder_ids` (rows of token ids), `cases`
(folders `base` and, but for plain T5s, `adapter`, and the `model` class). Writes the logits of each
case, flat, as a JSON list of lists.
"""

import json
import sys

import adapters
import torch
from transformers import T5ForConditionalGeneration


def model(case):
    if case["model"] == "T5AdapterModel":
        found = adapters.T5AdapterModel.from_pretrained(case["base"])
    else:
        found = T5ForConditionalGeneration.from_pretrained(case["base"])
        adapters.init(found)
    if case.get("adapter"):
        name = found.load_adapter(case["adapter"], use_safetensors=True)
        found.set_active_adapters(name)
    if case["model"] == "T5AdapterModel":
        found.add_seq2seq_lm_head("head")
        found.active_head = "head"
    return found.eval()


job = json.load(sys.stdin)
ids, decoder_ids = torch.tensor(job["ids"]), torch.tensor(job["decoder_ids"])
answers = []
for case in job["cases"]:
    with torch.no_grad():
        logits = model(case)(input_ids=ids, decoder_input_ids=decoder_ids).logits
    answers.append(logits.flatten().tolist())
json.dump(answers, sys.stdout)
