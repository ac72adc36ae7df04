"""One small row of every input format, as its publisher writes it."""

ASK = {"role": "user", "content": "Hello?"}
HI, WHAT = ({"role": "assistant", "content": text} for text in ("Good day.", "What."))
_PAIR_PROMPT = (
    "[User Question]\n2 + 2?\n\n[The Start of Assistant A's Answer]\n4\n[The End of Assistant A's Answer]"
    "\n\n[The Start of Assistant B's Answer]\n5\n[The End of Assistant B's Answer]"
)
_SINGLE_PROMPT = (
    "[Instruction]\nPlease act.\n\n[Question]\n2 + 2?\n\n[The Start of Reference Answer]\nfour\n"
    "[The End of Reference Answer]\n\n[The Start of Assistant's Answer]\n4\n[The End of Assistant's Answer]"
)
_AUTOJ_PROMPT = (
    "Write critiques:\n  \n[BEGIN DATA]\n***\n[Query]: 2 + 2?\n***\n[Response]: 4\n***\n[END DATA]"
)
ROWS: dict[str, dict[str, object]] = {
    "mm-vet-rows": {
        "question_id": 0,
        "imagename": "v1_0.png",
        "question": "What is x?",
        "answer": "-1<OR>minus one",
        "answer1_body": "It is -1.",
    },
    "mm-vet": {
        "v1_0": {"imagename": "v1_0.png", "question": "What is x?", "answer": "-1<OR>minus one"},
        "v1_1": {"imagename": "v1_1.jpg", "question": "How many?", "answer": "2"},
    },
    "mm-vet-predictions": {"v1_0": "It is -1.", "v1_1": 3},
    "judgelm": {
        "question_id": 17,
        "question_body": "2 + 2?",
        "answer1_body": "4",
        "answer2_body": "5",
        "answer1_model_id": "alpaca-native",
        "answer2_model_id": "mpt-7b",
        "score": [9.0, 2],
    },
    "pandalm": {
        "idx": 157,
        "cmp_key": "bloom-7b_cerebras-gpt-6.7B",
        "instruction": "Verify the statement.",
        "input": "jk is odd.",
        "response1": True,
        "response2": "True.",
        "annotator1": 1,
        "annotator2": 1,
        "annotator3": 0,
    },
    "pandalm-results": {"idx": 157, "gpt_result": "Tie", "gpt_reason": "Equal."},
    "arena": {
        "question_id": "q1",
        "model_a": "atlas",
        "model_b": "birch",
        "winner": "model_b",
        "judge": "person_1",
        "conversation_a": [ASK, WHAT],
        "conversation_b": [ASK, HI],
        "turn": 1,
    },
    "arena-table": {
        "id": 3,
        "model_a": "atlas",
        "model_b": "birch",
        "prompt": '["Hello?"]',
        "response_a": '["What."]',
        "response_b": '["Good day."]',
        "winner_model_a": "0",
        "winner_model_b": "1",
        "winner_tie": "0",
    },
    "mt-bench-pairs": {
        "question_id": 81,
        "model_1": "m1",
        "model_2": "m2",
        "g1_winner": "model_1",
        "g2_winner": "model_1",
        "judge": ["gpt-4", "pair-v2"],
        "g1_user_prompt": _PAIR_PROMPT,
        "g1_judgment": "[[A]]",
        "turn": 1,
    },
    "mt-bench-single": {
        "question_id": 81,
        "model": "m1",
        "judge": ["gpt-4", "single-v1"],
        "user_prompt": _SINGLE_PROMPT,
        "judgment": "[[9]]",
        "score": 9,
        "turn": 1,
    },
    "fastchat-reviews": {
        "review_id": "w",
        "question_id": 1,
        "answer1_id": "x",
        "answer2_id": "y",
        "text": "9 7\nGood.",
        "score": [9.0, 7.0],
    },
    "fastchat-answers": {"answer_id": "x", "question_id": 1, "text": "Because.", "model_id": "m1"},
    "fastchat-questions": {"question_id": 1, "text": "Why?", "category": "generic"},
    "fastchat-ids": {"model_id": "m1:v1", "model_name": "m1", "model_metadata": ""},
    "faireval-votes": {"line": "CHATGPT"},
    "autoj": {
        "scenario": "math",
        "label": 1,
        "prompt": "2 + 2?",
        "response 1": "5",
        "response 2": "4",
    },
    "autoj-single": {
        "usrmsg": _AUTOJ_PROMPT,
        "target_output": "Rating: [[6]]",
        "pred_score": 6.0,
        "scenario": "math",
    },
    "autoj-predictions": {"output": 0},
    "alpaca-eval": {
        "instruction": "Hello?",
        "output_1": "What.",
        "output_2": "Good day.",
        "generator_1": "g1",
        "generator_2": "g2",
        "annotator": "alpaca_eval_gpt4",
        "preference": 1.9,
    },
    "alpaca-eval-prompts": {"prompt_id": 0, "instruction": "Hello?", "baseline_output": "What."},
    "alpaca-eval-outputs": {
        "prompt_id": 0,
        "model": "m1",
        "output": "Good day.",
        "preference": 1.73,
    },
    "openai-preference": {
        "input": {"messages": [ASK], "tools": []},
        "preferred_output": [HI],
        "non_preferred_output": [WHAT],
    },
    "trl": {"id": "p1", "prompt": "Hello?", "chosen": "Good day.", "rejected": "What."},
    "openai-batch-input": {
        "custom_id": "r-1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "m1", "messages": [ASK]},
    },
    "openai-batch-output": {
        "id": "b-1",
        "custom_id": "r-1",
        "response": {"status_code": 200, "body": {"model": "m1", "choices": [{"message": HI}]}},
        "error": None,
    },
    "openai": {
        "id": "c1",
        "messages": [{"role": "user", "content": "Hello?"}],
        "choices": [{"message": {"role": "assistant", "content": "Hi."}, "model": "m1"}, "Yes?"],
    },
    "openai-log": {
        "request": {"model": "m1", "messages": [ASK]},
        "response": {"id": "c1", "model": "m1", "choices": [{"message": HI}, {"message": WHAT}]},
    },
    "openai-stored": {"object": "chat.completion", "id": "c1", "choices": [{"message": HI}]},
    "ultrafeedback": {
        "instruction": "Hello?",
        "completions": [
            {"model": "m1", "response": "Good day.", "overall_score": 8.5},
            {"model": "m2", "response": "What.", "overall_score": 2.0},
        ],
    },
    "trl-stepwise": {"prompt": "2 + 2?", "completions": ["2 + 2 = 4"], "labels": [True]},
    "gsm8k": {
        "question": "2 + 2?",
        "ground_truth": "4",
        "6b": {"solution": "A: 5", "is_correct": False},
        "175b": {"solution": "A: 4", "is_correct": True},
    },
    "judgement-bias": {
        "question_id": "Applying_0-gender",
        "question": "Hello?",
        "model_id": "gpt-4",
        "answers": {
            "answer1": {"answer": "Good day, sir.", "perturb": "gender"},
            "answer2": {"answer": "Good day.", "perturb": ""},
        },
    },
    "triviaqa-judges": {"qid": 0, "exam_taker": "m1", "human": 1, "EM": "", "GPT-4": "0"},
    "triviaqa-questions": {"qid": 0, "question": "2 + 2?", "references": ["4"]},
    "mjbench": {
        "id": 0,
        "caption": "A man",
        "image0": {"src": "https://images.example/a.jpg", "height": 512, "width": 512},
        "image1": {"bytes": "iVBORw0KGgoAAAAA", "path": "b.png"},
        "label": "0",
    },
    "retrieval": {
        "query": "2 + 2?",
        "documents": [
            {"id": "d1", "text": "It is 4.", "score": 2.5},
            {"id": "d2", "text": "Five."},
        ],
    },
    "pairs": {"question": "2 + 2?", "answer_1": "4", "answer_2": "It is\n5", "winner": "1"},
    "chat": {"messages": [ASK, HI]},
    "alpaca": {"instruction": "Hello?", "output": "Good day.", "generator": "m1"},
    "single": {"prompt": "Hello?", "completion": "Good day.", "label": True},
    "leaderboard": {"model": "m1", "score": "84.4", "rating_q025": "81.3"},
}
SET_ASIDE = ("openai-stored", "trl-stepwise", "leaderboard")
"""Formats whose rows never hold anything to judge."""
