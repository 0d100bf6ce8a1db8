"""Import MedCLIP with a ResNet-50 (Wang et al., EMNLP 2022): its image encoder and its ClinicalBERT."""

from __future__ import annotations

from radscribe.weights.bert import POSITION_IDS, bert_sizes, check_words, text_encoder_links, vocabulary_of
from radscribe.weights.carry import Plan, Source
from radscribe.weights.resnet import NO_COUNTER, resnet_config, resnet_links, structure

FILMS, TEXTS = "vision_model.model.", "text_model.model."
NOT_CLS = "it reads the mean of three layers' words; radscribe reads [CLS]"


def plan(source: Source) -> Plan:
    """Import the image encoder and the text encoder; the latter is usable only with a vocabulary."""
    if f"{FILMS}conv1.weight" not in source.tensors and f"{FILMS}embeddings.patch_embeddings.projection.weight" in (
        source.tensors
    ):
        raise source.refusal("its vision_model is a transformer, not a ResNet")
    encoder = resnet_config(source, lambda name: FILMS + name, "medclip")
    links, shapes = resnet_links(encoder, "image_encoder", lambda name: FILMS + name)
    sizes = bert_sizes(source, TEXTS)
    text_links, text_shapes = text_encoder_links(source, TEXTS, sizes)
    tokenizer = vocabulary_of(source)
    if tokenizer is not None:
        check_words(source, tokenizer.get_vocab_size(), sizes.words)
    return Plan(
        [*links, *text_links],
        shapes | text_shapes,
        {"image_encoder": structure(encoder), "text_encoder": sizes.structure()},
        left_out={
            r"vision_model\.model\.fc\.(weight|bias)": "the projection of pooled films, which has no place here",
            r"text_model\.projection_head\.(weight|bias)": NOT_CLS,
            r"text_model\.model\.pooler\.dense\.(weight|bias)": NOT_CLS,
            r"text_model\.model\.embeddings\.position_ids": POSITION_IDS,
            r"logit_scale": "the temperature of its contrast",
        },
        started=NO_COUNTER,
        notes=()
        if tokenizer
        else ("no vocabulary: give ClinicalBERT's with --vocabulary, without which its text encoder cannot be used",),
        tokenizer=tokenizer,
    )
