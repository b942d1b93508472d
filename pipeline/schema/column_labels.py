"""Column names as people read them, in Vietnamese and English: headings of the workbook, aliases of
the GIS layers.

Does not belong here: names of statuses and flags (`texts.py`), units and meanings (`tables.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.schema.texts import Lang

HEADINGS: Mapping[str, tuple[str, str]] = {
    "need_rank": ("Hạng nhu cầu", "Need rank"),
    "rank_lo": ("Hạng từ", "Rank from"),
    "rank_hi": ("Hạng đến", "Rank to"),
    "need_band": ("Nhóm đồng hạng", "Band"),
    "efficiency_rank": ("Hạng hiệu quả", "Efficiency rank"),
    "measure_rank": ("Hạng cần đo", "Measure rank"),
    "commune_code": ("Mã xã", "Commune code"),
    "commune_name": ("Xã, phường", "Commune"),
    "former_district": ("Huyện cũ", "Former district"),
    "boundary_vintage": ("Phiên bản ranh giới", "Boundary vintage"),
    "operator": ("Nhà mạng", "Operator"),
    "period": ("Kỳ", "Period"),
    "window_months": ("Số tháng bằng chứng", "Window (months)"),
    "status": ("Kết luận", "Verdict"),
    "evidence": ("Mức chắc chắn", "Evidence"),
    "evidence_basis": ("Cơ sở bằng chứng", "Evidence basis"),
    "gap_class": ("Kết luận xã", "Commune verdict"),
    "population": ("Dân số", "People"),
    "area_km2": ("Diện tích (km²)", "Area (km²)"),
    "depth": ("Độ sâu thiếu hụt", "Depth"),
    "gap_probability": ("Xác suất lõm", "Gap probability"),
    "expected_person_gap": ("Người chờ kỳ vọng", "Expected person-gap"),
    "facility_count": ("Số cơ sở công", "Facilities"),
    "has_main_road": ("Có đường chính", "Main road"),
    "terrain": ("Địa hình", "Terrain"),
    "priority_index": ("Chỉ số ưu tiên", "Priority index"),
    "mean_mbps": ("Trung bình (Mbps)", "Mean (Mbps)"),
    "median_mbps": ("Trung vị (Mbps)", "Median (Mbps)"),
    "lo_mbps": ("Cận dưới 95 % (Mbps)", "95 % from (Mbps)"),
    "hi_mbps": ("Cận trên 95 % (Mbps)", "95 % to (Mbps)"),
    "eb_mean_mbps": ("Trung bình Bayes (Mbps)", "EB mean (Mbps)"),
    "device_count": ("Thiết bị", "Devices"),
    "test_count": ("Phép đo", "Tests"),
    "sample_count": ("Mẫu đại diện", "Samples"),
    "date_count": ("Số ngày đo", "Dates"),
    "month_test_count": ("Phép đo trong tháng", "Tests in the month"),
    "failed_test_count": ("Phép đo hỏng", "Failed tests"),
    "failure_rate": ("Tỷ lệ hỏng", "Failure rate"),
    "fallback_share": ("Tỷ lệ 3G/2G", "3G/2G share"),
    "signal_median_dbm": ("Tín hiệu (dBm)", "Signal (dBm)"),
    "busy_mean_mbps": ("Giờ cao điểm (Mbps)", "Busy hours (Mbps)"),
    "calm_mean_mbps": ("Giờ khác (Mbps)", "Other hours (Mbps)"),
    "likely_cause": ("Nguyên nhân có thể", "Likely cause"),
    "cause_grounds": ("Căn cứ", "Grounds"),
    "suggested_action": ("Gợi ý hành động", "Suggested action"),
    "gap_id": ("Mã vùng lõm", "Gap area"),
    "gap_latitude": ("Vĩ độ vùng lõm", "Gap latitude"),
    "gap_longitude": ("Kinh độ vùng lõm", "Gap longitude"),
    "gap_area_km2": ("Diện tích vùng lõm (km²)", "Gap area (km²)"),
    "gap_population": ("Dân trong vùng lõm", "People in gap"),
    "gap_device_count": ("Thiết bị trong vùng lõm", "Devices in gap"),
    "operators_meeting": ("Nhà mạng đạt", "Operators that meet"),
    "operators_gap": ("Nhà mạng lõm", "Operators with a gap"),
    "operators_unknown": ("Nhà mạng chưa rõ", "Operators not known"),
    "other_operators": ("Các nhà mạng khác", "Other operators"),
    "information": ("Mức thông tin", "Information"),
    "people_without_verdict": ("Dân chưa có kết luận", "People without a verdict"),
    "devices_to_decide": ("Cần thêm thiết bị", "Further devices"),
    "devices_to_decide_reason": ("Vì sao không tính được", "Why no number"),
    "state": ("Tình trạng", "State"),
    "first_seen": ("Thấy lần đầu", "First seen"),
    "last_seen": ("Thấy lần cuối", "Last seen"),
    "cell_count": ("Số ô", "Cells"),
    "share_devices_below_target": ("Tỷ lệ thiết bị dưới mục tiêu", "Devices below target"),
    "hex_id": ("Ô H3", "H3 cell"),
    "h3_resolution": ("Cấp H3", "H3 resolution"),
    "is_weak": ("Ô yếu", "Weak"),
    "flags": ("Lưu ý", "Flags"),
    "no_data_reason": ("Vì sao không có dữ liệu", "Why no data"),
    "meets_300": ("Đủ 300 phép đo", "Has 300 tests"),
    "all_mobile_mean_mbps": ("Trung bình mọi công nghệ (Mbps)", "All mobile (Mbps)"),
    "month": ("Tháng", "Month"),
    "operator_count": ("Số nhà mạng", "Operators"),
    "natural_test_count": ("Phép đo tự nhiên", "Natural tests"),
    "burst_test_count": ("Phép đo dồn dập", "Burst tests"),
    "copied_row_count": ("Dòng chép lại", "Copied rows"),
    "share_of_official": ("So với 300", "Share of 300"),
    "trend_test_count": ("So với tháng trước", "Against the month before"),
    "campaign_signs": ("Dấu hiệu chiến dịch", "Campaign signs"),
    "reach": ("Đạt 300", "Reach of 300"),
    "reached_on": ("Ngày đủ 300", "Reached on"),
    "expected_month": ("Tháng dự kiến đủ", "Expected month"),
    "former_test_count": ("Phép đo kỳ trước", "Tests before"),
    "former_device_count": ("Thiết bị kỳ trước", "Devices before"),
    "devices_per_1000": ("Thiết bị trên 1.000 dân", "Devices per 1,000 people"),
    "install_count": ("Lượt cài đặt", "Installs"),
    "participation": ("Tham gia", "Participation"),
    "technology_used": ("Công nghệ", "Technology"),
    "span": ("Khoảng thời gian", "Span"),
    "notice": ("Ghi chú", "Notice"),
}


def heading(column: str, lang: Lang) -> str:
    """A column's name for people; a column that has none keeps its own.

    >>> heading("need_rank", "en"), heading("p_gap", "vi")
    ('Need rank', 'p_gap')
    """
    return HEADINGS[column][lang == "en"] if column in HEADINGS else column
