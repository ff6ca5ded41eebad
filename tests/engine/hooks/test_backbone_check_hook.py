from auglocal_mm.engine.hooks.backbone_check_hook import _keep_record


def test_the_record_of_an_earlier_run_does_not_pass_for_that_of_a_backbone_without_one(tmp_path):
    description, kept = tmp_path / 'backbone.json', tmp_path / 'pretraining.json'
    description.write_text('{"method": "BP"}')
    _keep_record(description, kept)
    assert kept.read_text() == '{"method": "BP"}'
    _keep_record(tmp_path / 'another.json', kept)
    assert not kept.exists()
